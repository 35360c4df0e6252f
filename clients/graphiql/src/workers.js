// Monaco asks for its workers by label. WORKERS is filled in by build.js: label → hashed file.
globalThis.MonacoEnvironment = {
  getWorker(_, label) {
    const file = WORKERS[label] ?? WORKERS.editor;
    return new Worker(new URL(file, import.meta.url), { name: label, type: "module" });
  },
};
