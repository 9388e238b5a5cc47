import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-flows:panels',
  description: 'The Flows side panel and the view of an execution.',
  autoStart: true,
  activate: () => undefined
};

export default plugin;
