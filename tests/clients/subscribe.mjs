// node subscribe.mjs URL PLAN
// Runs a query, a mutation and a subscription over one WebSocket to URL with the graphql-ws client.
// PLAN is JSON: { query, mutation, subscription } are each { query, variables }; the mutation is
// sent once `mutateAfter` results of the subscription have come, and the subscription ended by the
// client once `take` have. Prints { query, mutation, results } as JSON.
import { createClient } from "graphql-ws";
import WebSocket from "ws";

const [url, planText] = process.argv.slice(2);
const plan = JSON.parse(planText);
const client = createClient({
  url: url.replace(/^http/, "ws"),
  webSocketImpl: WebSocket,
  lazy: false,
  retryAttempts: 0,
  onNonLazyError: (error) => {
    throw error;
  },
});

async function single(request) {
  for await (const result of client.iterate(request)) return result;
  throw new Error("the operation completed without a result");
}

const query = await single(plan.query);
const results = [];
let mutation = plan.mutateAfter === 0 ? single(plan.mutation) : undefined;
for await (const result of client.iterate(plan.subscription)) {
  results.push(result);
  if (results.length === plan.mutateAfter) mutation = single(plan.mutation);
  if (results.length === plan.take) break;
}
console.log(JSON.stringify({ query, mutation: await mutation, results }));
await client.dispose();
