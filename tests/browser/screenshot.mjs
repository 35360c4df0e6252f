// Takes the README's picture of GraphiQL: `node screenshot.mjs URL [FILE]`, from a server with
// conversations in its store; FILE is docs/graphiql.png unless given.
import { fileURLToPath } from "node:url";
import { launch, open, run, showTab } from "./browser.mjs";

const picture = fileURLToPath(new URL("../../docs/graphiql.png", import.meta.url));
const [url, file = picture] = process.argv.slice(2);

const browser = await launch();
try {
  const page = await browser.newPage({
    colorScheme: "light",
    deviceScaleFactor: 1.5,
    viewport: { width: 1280, height: 800 },
  });
  await open(page, url);
  await showTab(page, "NewestMessages");
  await run(page, /"data"[^]*"parts"/);
  await page.mouse.move(0, 0);
  // The editors' scrollbars fade once nobody points at them.
  await page.waitForFunction(() => document.querySelector(".scrollbar.visible") === null);
  await page.screenshot({ animations: "disabled", path: file });
} finally {
  await browser.close();
}
