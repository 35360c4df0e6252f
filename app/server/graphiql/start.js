// Starts GraphiQL in the page. It is bundled by clients/graphiql, and put into the page as it
// stands where GraphiQL comes from a CDN: so no JSX, and only imports that both can resolve.
import { createElement } from "react";
import { createRoot } from "react-dom/client";
import { GraphiQL } from "graphiql";
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { Kind, parse } from "graphql";
import { createClient } from "graphql-ws";

const settings = JSON.parse(document.getElementById("settings").textContent);
const url = new URL(settings.endpoint, location.href).href;
const socketUrl = new URL(settings.subscriptionEndpoint, location.href).href.replace(/^http/, "ws");

// What GraphiQL knows of the operation lags behind the editor, so that whoever runs a tab as soon
// as it is switched to would ask for the operation of the tab before: read it from the text.
function named(operation) {
  let document;
  try {
    document = parse(operation.query);
  } catch {
    return { operation }; // the server says where the syntax error is
  }
  const names = document.definitions
    .filter(({ kind }) => kind === Kind.OPERATION_DEFINITION)
    .map(({ name }) => name?.value);
  if (names.length !== 1) return { operation, document };
  return { operation: { ...operation, operationName: names[0] }, document };
}

// A client for each operation: the tab's headers go into its connection, and with no operation
// left it closes. It does not retry, since that would start again at the variable's old cursor.
function fetcher(request, { headers } = {}) {
  const { operation, document } = named(request);
  const wsClient = createClient({
    connectionParams: headers ?? {},
    retryAttempts: 0,
    url: socketUrl,
  });
  const send = createGraphiQLFetcher({ enableIncrementalDelivery: false, url, wsClient });
  return send(operation, { documentAST: document, headers });
}

const at = (value, path) => path.reduce((inner, key) => inner?.[key], value);

// The examples are about the newest session where the store has one that this visitor may read.
async function newestValues() {
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({ query: settings.lookup }),
    });
    const { data } = await response.json();
    return Object.entries(settings.fills).map(([placeholder, path]) => [placeholder, at(data, path)]);
  } catch (error) {
    console.warn("The examples keep their placeholders: the newest session can't be read.", error);
    return [];
  }
}

async function exampleTabs() {
  const values = new Map((await newestValues()).filter(([, value]) => value != null));
  const fill = (_, value) => values.get(value) ?? value;
  return settings.examples.map(({ query, variables }) => ({
    query,
    variables: JSON.stringify(variables, fill, 2),
  }));
}

// GraphiQL shows a tab's own variables only once it is switched to, and keeps them under these keys
// only once they are edited; so the tab that is open first needs them given.
function firstShown(tabs) {
  const stored = JSON.parse(localStorage.getItem("graphiql:tabState"));
  const shown = stored?.tabs[stored.activeTabIndex] ?? tabs[0];
  const unlessStored = (key) => (localStorage.getItem(`graphiql:${key}`) === null ? shown[key] : null);
  return {
    initialQuery: unlessStored("query") ?? undefined,
    initialVariables: unlessStored("variables") ?? undefined,
  };
}

const defaultTabs = await exampleTabs();
createRoot(document.getElementById("graphiql")).render(
  createElement(
    GraphiQL,
    {
      fetcher,
      defaultTabs,
      ...firstShown(defaultTabs),
      defaultEditorToolsVisibility: "variables",
    },
    createElement(GraphiQL.Logo, null, "Scrollback"),
  ),
);
