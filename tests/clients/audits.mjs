// node audits.mjs URL
// Prints the result of every GraphQL over HTTP audit against the server at URL, as a JSON list of
// { id, name, status, reason }, where status is "ok", "notice", "warn" or "error".
import { serverAudits } from "graphql-http";

const [url] = process.argv.slice(2);
const results = await Promise.all(serverAudits({ url, fetchFn: fetch }).map((audit) => audit.fn()));
console.log(JSON.stringify(results.map(({ id, name, status, reason }) => ({ id, name, status, reason }))));
