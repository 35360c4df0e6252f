// Visits GraphiQL as a person would: `node graphiql.mjs URL`. Prints one JSON object of what was
// seen, for the caller to judge; leaves with a failure where something awaited never came.
import { launch, open, run, setHeaders, showTab, shown, typeInto } from "./browser.mjs";

const [url] = process.argv.slice(2);
const seen = { origins: [], problems: [], workers: [], sockets: [], sentHeaders: [] };

function observe(page) {
  page.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol !== "data:") seen.origins.push(origin);
    const probe = request.headers()["x-probe"];
    if (probe !== undefined) seen.sentHeaders.push(probe);
  });
  page.on("websocket", (socket) => {
    seen.sockets.push(new URL(socket.url()).host);
    socket.on("framesent", ({ payload }) => {
      const { type, payload: parameters } = JSON.parse(payload);
      if (type === "connection_init") seen.sentHeaders.push(parameters["x-probe"]);
    });
  });
  page.on("worker", (worker) => seen.workers.push(new URL(worker.url()).pathname));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) seen.problems.push(message.text());
  });
  page.on("pageerror", (error) => seen.problems.push(String(error)));
  page.on("requestfailed", (request) =>
    seen.problems.push(`${request.url()}: ${request.failure()?.errorText}`),
  );
}

const browser = await launch();
try {
  // Two contexts, for each keeps the tabs that it has open in its own storage.
  const watcher = await (await browser.newContext()).newPage();
  const writer = await (await browser.newContext()).newPage();
  for (const page of [watcher, writer]) {
    observe(page);
    await open(page, url);
  }
  seen.title = await watcher.title();
  seen.tabs = await watcher.locator(".graphiql-tab-button").allInnerTexts();
  seen.query = await run(watcher, /"data"[^]*"sessions"[^]*"id"/);

  await watcher.getByRole("button", { name: "Show Documentation Explorer" }).click();
  seen.documentation = await watcher.locator(".graphiql-doc-explorer-content").innerText();

  await showTab(watcher, "SessionEvents");
  await setHeaders(watcher, { "x-probe": "by socket" });
  seen.subscribed = await run(watcher, /"sessionEvents"[^]*"CaughtUp"/);
  await showTab(writer, "AddMessages");
  await setHeaders(writer, { "x-probe": "by HTTP" });
  seen.mutation = await run(writer, /"addMessages"[^]*"userErrors": \[\]/);
  seen.event = await shown(watcher, /"sessionEvents"[^]*"__typename": "Message/);

  // Both languages are checked in workers, against the schema read above.
  await writer.getByRole("button", { name: "New tab" }).click();
  await writer.getByRole("button", { name: "Variables", exact: true }).click();
  seen.marked = [];
  for (const [editor, mistake] of [
    [".graphiql-query-editor", "{ thisFieldIsInNoSchema"],
    [".graphiql-editor-tool", "{ noQuotes: 1"],
  ]) {
    await typeInto(writer, editor, mistake);
    await writer.locator(`${editor} .squiggly-error`).first().waitFor();
    seen.marked.push(editor);
  }
} finally {
  await browser.close();
}
for (const kind of ["origins", "sockets", "workers"]) seen[kind] = [...new Set(seen[kind])].sort();
process.stdout.write(`${JSON.stringify(seen)}\n`);
