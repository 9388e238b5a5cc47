import { defineConfig } from 'vitest/config';

// JupyterLab's packages are ES modules that do not say so: Node cannot load them as they are.
export default defineConfig({
  test: { include: ['test/**/*.test.ts'], server: { deps: { inline: [/@jupyterlab/] } } }
});
