// Drives GraphiQL in a headless Chromium.
import { chromium } from "playwright-core";

// What Chromium says on its own behalf at every start is no business of the page under test.
const FLAGS = [
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-gpu",
  "--disable-quic",
  "--disable-sync",
  "--no-first-run",
];

/** Launches the Chromium that CHROMIUM names, or the one in Debian's place. */
export function launch() {
  return chromium.launch({
    args: FLAGS,
    // Chromium refuses its sandbox to root, which is what containers run as.
    chromiumSandbox: process.getuid?.() !== 0,
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  });
}

/** Opens GraphiQL and waits until it has read the schema, so that it can run operations. */
export async function open(page, url) {
  const introspected = page.waitForResponse(
    (response) => response.request().postData()?.includes("IntrospectionQuery") ?? false,
  );
  await page.goto(url);
  await introspected;
  await page.locator(".graphiql-query-editor .view-line").first().waitFor();
}

/** Brings a tab to the front by its operation's name. */
export async function showTab(page, name) {
  await page.getByRole("tab", { name }).getByRole("button", { name, exact: true }).click();
  await page.locator(".graphiql-query-editor").getByText(name, { exact: true }).waitFor();
}

/** Types headers into the tab in front, which its operations are then sent with. */
export async function setHeaders(page, headers) {
  await page.getByRole("button", { name: "Headers", exact: true }).click();
  await typeInto(page, ".graphiql-editor-tool", JSON.stringify(headers));
}

/** Types into the editor that is shown within `container`, a selector. */
export async function typeInto(page, container, text) {
  await page.locator(`${container} .monaco-editor:visible`).first().click();
  await page.keyboard.type(text);
}

/** Runs the tab in front and waits for a result that matches; answers the text shown. */
export async function run(page, expected) {
  await page.getByRole("button", { name: /^Execute query/ }).click();
  return shown(page, expected);
}

/** Waits until the result pane shows text that matches, and answers what fits into the pane. */
export async function shown(page, expected) {
  const result = await page.waitForFunction(
    ({ source }) => {
      // The editor keeps its lines in the order of their drawing, and spaces as no-break spaces.
      const lines = [...document.querySelectorAll(".result-window .view-line")]
        .sort((one, other) => parseFloat(one.style.top) - parseFloat(other.style.top))
        .map((line) => line.textContent.replaceAll("\u00a0", " "));
      const text = lines.join("\n");
      return new RegExp(source).test(text) ? text : null;
    },
    { source: expected.source },
    { timeout: 15_000 },
  );
  return result.jsonValue();
}
