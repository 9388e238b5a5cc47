/** What the panels do with notebooks that are open in the application. */
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { NotebookActions } from '@jupyterlab/notebook';

import type { Code, IExecutionView } from './api';
import { KERNEL_NAME } from './tokens';

/** The path below the root: without a drive, such as that of real-time collaboration. */
export function pathOf(panel: NotebookPanel): string {
  return panel.context.path.replace(/^[^/:]+:/, '');
}

export function hasFlowsKernel(panel: NotebookPanel): boolean {
  const name = panel.sessionContext.session?.kernel?.name ?? panel.sessionContext.kernelPreference.name;
  return name === KERNEL_NAME;
}

/** The open notebook that an execution of type NOTEBOOK belongs to. */
export function findNotebook(
  tracker: INotebookTracker | null,
  execution: IExecutionView
): NotebookPanel | undefined {
  const path = `${execution.flow ?? ''}.ipynb`;
  return tracker?.find(panel => pathOf(panel) === path);
}

const RESTORE = '%flow restore ';

/**
 * Puts the kernel of a notebook back to a savepoint: by a cell, so that its output has a place and everybody sees
 * what was done. The cell of an earlier restore is used again if it is the active one.
 */
export async function restoreInNotebook(
  panel: NotebookPanel,
  savepointId: string,
  code: Code = 'saved'
): Promise<void> {
  const notebook = panel.content;
  if (!notebook.activeCell?.model.sharedModel.getSource().startsWith(RESTORE)) {
    NotebookActions.insertBelow(notebook);
  }
  notebook.activeCell?.model.sharedModel.setSource(
    RESTORE + savepointId + (code === 'current' ? ' --code current' : '')
  );
  await NotebookActions.run(notebook, panel.sessionContext);
}

/** Saves the open notebook of a flow, so that the server sees the code that its author sees. */
export async function saveNotebook(
  tracker: INotebookTracker | null,
  execution: IExecutionView
): Promise<void> {
  const panel = findNotebook(tracker, execution);
  if (panel?.context.model.dirty) {
    await panel.context.save();
  }
}
