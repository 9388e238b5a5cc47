import type { JupyterFrontEnd } from '@jupyterlab/application';
import { showErrorMessage } from '@jupyterlab/apputils';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { ReadonlyJSONObject, ReadonlyPartialJSONObject } from '@lumino/coreutils';

import type { IExecutionView, IFlowsApi } from '../api';
import type { ExecutionsModel } from '../model/executions';
import type { FlowsModel } from '../model/flows';
import type { Live } from '../model/live';
import type { Tab } from '../model/execution';
import type { IShell } from '../panels/shell';

/** The settings that the commands heed. */
export interface IPreferences {
  readonly confirmRestore: boolean;
  readonly openOnRun: boolean;
  /** Remembers not to ask before a restore again. */
  neverAskBeforeRestore(): Promise<void>;
}

/** What the commands work with. */
export interface ICommandContext {
  readonly app: JupyterFrontEnd;
  readonly shell: IShell;
  readonly api: IFlowsApi;
  readonly live: Live;
  readonly flows: FlowsModel;
  readonly executions: ExecutionsModel;
  readonly notebooks: INotebookTracker | null;
  readonly preferences: IPreferences;
  /** Shows the execution in the main area, in a new tab or the one it has. */
  open(id: string, tab: Tab | null): void;
  /** The execution of the tab in front of the main area, if it is one. */
  inFront(): string | null;
  /** Tells all panels what an action answered with. */
  acted(execution: IExecutionView): void;
}

/** The schema of arguments in which each is a text. */
export function textArguments(described: Record<string, string>): { args: ReadonlyJSONObject } {
  const properties = Object.fromEntries(
    Object.entries(described).map(([name, description]) => [name, { type: 'string', description }])
  );
  return { args: { type: 'object', properties } };
}

/**
 * What a command is meant for: an argument; in a context menu (whose entries say so by `fromMenu`), what was
 * clicked on. `attribute` is the name in `dataset`.
 */
export function targetOf(
  context: ICommandContext,
  args: ReadonlyPartialJSONObject,
  name: string,
  attribute: string
): string | null {
  const given = args[name];
  if (typeof given === 'string') {
    return given;
  }
  if (args.fromMenu) {
    return context.app.contextMenuHitTest(node => attribute in node.dataset)?.dataset[attribute] ?? null;
  }
  return null;
}

/** Does it, and shows why it failed if it did. */
export async function attempt<T>(
  context: ICommandContext,
  what: string,
  action: () => Promise<T>
): Promise<T | undefined> {
  try {
    return await action();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    await showErrorMessage(what, message, undefined);
    return undefined;
  } finally {
    context.app.commands.notifyCommandChanged();
  }
}
