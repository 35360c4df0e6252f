// Bundles GraphiQL for the server to serve: `npm ci && npm run build`. Everything it needs at run
// time is in the output, so that the page works without a network. The output is replaced as a
// whole once it is complete: a server started meanwhile sees the old bundle or the new one.
import { chmod, mkdtemp, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import zlib from "node:zlib";
import { build } from "esbuild";

const here = path.dirname(fileURLToPath(import.meta.url));
const output = path.resolve(here, "../../app/server/graphiql/dist");

const workers = {
  editor: "monaco-editor/esm/vs/editor/editor.worker.js",
  graphql: "monaco-graphql/esm/graphql.worker.js",
  json: "monaco-editor/esm/vs/language/json/json.worker.js",
};

const shared = {
  absWorkingDir: here,
  bundle: true,
  define: { "process.env.NODE_ENV": '"production"', "process.env.USE_IMPORT": '"true"' },
  format: "esm",
  legalComments: "linked",
  logLevel: "warning",
  metafile: true,
  minify: true,
  // start.js lies beside the page, outside this package, and imports from it all the same.
  nodePaths: [path.join(here, "node_modules")],
  target: ["es2022"],
};

/** Runs esbuild and answers the files it wrote: entry point, as given → name in the output. */
async function bundle(directory, entryPoints, options = {}) {
  const { metafile } = await build({
    ...shared,
    ...options,
    assetNames: "[name]-[hash]",
    chunkNames: "[name]-[hash]",
    entryNames: "[name]-[hash]",
    entryPoints,
    outdir: directory,
  });
  const written = new Map();
  for (const [file, { entryPoint, cssBundle }] of Object.entries(metafile.outputs)) {
    if (entryPoint === undefined) continue;
    written.set(entryPoint, path.basename(file));
    if (cssBundle) written.set(`${entryPoint} css`, path.basename(cssBundle));
  }
  return written;
}

const gzip = promisify(zlib.gzip);

/** Lays a gzipped copy beside every file of code, which the server sends where it is accepted. */
async function compress(directory) {
  const code = (await readdir(directory)).filter((file) => /\.(js|css)$/.test(file));
  await Promise.all(
    code.map(async (file) => {
      const packed = await gzip(await readFile(path.join(directory, file)), { level: 9 });
      await writeFile(path.join(directory, `${file}.gz`), packed);
    }),
  );
}

const directory = await mkdtemp(path.join(here, "node_modules", ".dist-"));
try {
  const names = await bundle(directory, Object.values(workers).map((file) => `node_modules/${file}`));
  const files = Object.fromEntries(
    Object.entries(workers).map(([label, file]) => [label, `./${names.get(`node_modules/${file}`)}`]),
  );
  const app = await bundle(
    directory,
    { app: "src/main.js" },
    {
      define: { ...shared.define, WORKERS: JSON.stringify(files) },
      loader: { ".ttf": "file", ".woff2": "file" },
      splitting: true,
    },
  );
  await compress(directory);
  const manifest = { "app.js": app.get("src/main.js"), "app.css": app.get("src/main.js css") };
  await writeFile(path.join(directory, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  await chmod(directory, 0o755); // mkdtemp keeps it to its owner; the server may be another user
  await rm(output, { recursive: true, force: true });
  await rename(directory, output);
} finally {
  await rm(directory, { recursive: true, force: true });
}
