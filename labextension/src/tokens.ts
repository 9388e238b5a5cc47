import { Token } from '@lumino/coreutils';
import type { ISignal } from '@lumino/signaling';

import type { IExecutionView, IFlowsApi } from './api';

export const PLUGIN_ID = 'jupyter-flows:panels';

/** The domain of all translated texts, those of the settings included. */
export const DOMAIN = 'jupyter_flows';

/** The name of the kernel whose notebooks are flows. */
export const KERNEL_NAME = 'flows';

export const CommandIDs = {
  openPanel: 'jupyter-flows:open-panel',
  refresh: 'jupyter-flows:refresh',
  collapseAll: 'jupyter-flows:collapse-all',
  run: 'jupyter-flows:run',
  runWithInputs: 'jupyter-flows:run-with-inputs',
  runNotebook: 'jupyter-flows:run-notebook',
  openFlow: 'jupyter-flows:open-flow',
  openExecution: 'jupyter-flows:open-execution',
  openParent: 'jupyter-flows:open-parent',
  cancel: 'jupyter-flows:cancel',
  pause: 'jupyter-flows:pause',
  resume: 'jupyter-flows:resume',
  again: 'jupyter-flows:run-again',
  archive: 'jupyter-flows:archive',
  restore: 'jupyter-flows:restore',
  restoreCurrent: 'jupyter-flows:restore-current-code',
  fork: 'jupyter-flows:fork',
  copyId: 'jupyter-flows:copy-id'
} as const;

/** What other extensions may build on. */
export interface IFlows {
  readonly api: IFlowsApi;
  /** Emits each execution that was started, cancelled, restored or forked here. */
  readonly acted: ISignal<IFlows, IExecutionView>;
}

export const IFlows = new Token<IFlows>(
  'jupyter-flows:IFlows',
  'The REST interface of flows, and what was done through the panels.'
);
