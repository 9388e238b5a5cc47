import { Clipboard, Notification, showErrorMessage } from '@jupyterlab/apputils';
import { copyIcon, pauseIcon, refreshIcon, runIcon, stopIcon } from '@jupyterlab/ui-components';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import type { Code, IExecutionView, ISavepointView } from '../api';
import { canArchive, canPause, canRunAgain, isFinal } from '../api';
import { savepointTitle } from '../format';
import { archiveIcon, flowsIcon, forkIcon, parentIcon, restoreCodeIcon, restoreIcon } from '../icons';
import { TABS } from '../model/execution';
import { findNotebook, pathOf, restoreInNotebook, saveNotebook } from '../notebooks';
import { confirmArchive, confirmCancel, confirmRestore } from '../panels/confirm';
import { CommandIDs } from '../tokens';
import type { ICommandContext } from './context';
import { attempt, targetOf, textArguments } from './context';

/** The commands that have to do with executions and their savepoints. */
export function addExecutionCommands(context: ICommandContext): void {
  const { trans } = context.shell;
  const { commands } = context.app;
  const describedBy = textArguments({
    id: trans.__('The id of the execution; the one in front by default.')
  });
  const ofSavepoint = textArguments({ savepoint: trans.__('The id of the savepoint.') });

  commands.addCommand(CommandIDs.openExecution, {
    label: trans.__('Open Execution'),
    caption: trans.__('Show the children, savepoints, log, inputs and outputs of an execution'),
    icon: flowsIcon,
    isEnabled: args => executionIn(context, args) !== null,
    execute: args => {
      const id = executionIn(context, args);
      if (id !== null) {
        context.open(id, TABS.find(tab => tab === args.tab) ?? null);
      }
    },
    describedBy
  });
  commands.addCommand(CommandIDs.openParent, {
    label: trans.__('Open Parent Execution'),
    caption: trans.__('Show the execution that started this one'),
    icon: parentIcon,
    isEnabled: args => known(context, args)?.parent_id != null,
    execute: async args => {
      const id = executionIn(context, args);
      const execution = id === null ? undefined : await context.api.execution(id);
      if (execution?.parent_id != null) {
        context.open(execution.parent_id, null);
      }
    },
    describedBy
  });
  commands.addCommand(CommandIDs.cancel, {
    label: trans.__('Cancel Execution…'),
    caption: trans.__('End an execution at its next call of the flow API'),
    icon: stopIcon,
    isEnabled: args => {
      const execution = known(context, args);
      return execution !== undefined && !isFinal(execution.status) && execution.wish !== 'CANCEL';
    },
    execute: args => cancel(context, executionIn(context, args)),
    describedBy
  });
  commands.addCommand(CommandIDs.pause, {
    label: trans.__('Pause Execution'),
    caption: trans.__('Let an execution rest from its next call of the flow API on'),
    icon: pauseIcon,
    isEnabled: args => {
      const execution = known(context, args);
      return execution !== undefined && canPause(execution);
    },
    execute: args =>
      change(context, args, trans.__('The execution cannot be paused'), id => context.api.pause(id)),
    describedBy
  });
  commands.addCommand(CommandIDs.resume, {
    label: trans.__('Resume Execution'),
    caption: trans.__('Let a paused execution go on'),
    icon: runIcon,
    isEnabled: args => known(context, args)?.status === 'PAUSED',
    execute: args =>
      change(context, args, trans.__('The execution cannot go on'), id => context.api.resume(id)),
    describedBy
  });
  commands.addCommand(CommandIDs.again, {
    label: trans.__('Run Again'),
    caption: trans.__('Start a new execution of the flow with the same inputs'),
    icon: refreshIcon,
    isEnabled: args => {
      const execution = known(context, args);
      return execution !== undefined && canRunAgain(execution);
    },
    execute: args => again(context, executionIn(context, args)),
    describedBy
  });
  commands.addCommand(CommandIDs.archive, {
    label: trans.__('Archive Execution…'),
    caption: trans.__('Delete the savepoints of an execution that has ended; all else stays'),
    icon: archiveIcon,
    isEnabled: args => {
      const execution = known(context, args);
      return execution !== undefined && canArchive(execution);
    },
    execute: args => archive(context, executionIn(context, args)),
    describedBy
  });
  commands.addCommand(CommandIDs.restore, {
    label: trans.__('Restore Savepoint…'),
    caption: trans.__('Put the execution back to this savepoint and go on from there'),
    icon: restoreIcon,
    isEnabled: args => canRestore(context, args),
    execute: args => restore(context, targetOf(context, args, 'savepoint', 'savepointId')),
    describedBy: ofSavepoint
  });
  commands.addCommand(CommandIDs.restoreCurrent, {
    label: trans.__('Restore with Current Code…'),
    caption: trans.__(
      'Put the execution back to this savepoint and go on from there in the code as it is now'
    ),
    icon: restoreCodeIcon,
    isEnabled: args => canRestore(context, args),
    execute: args => restore(context, targetOf(context, args, 'savepoint', 'savepointId'), 'current'),
    describedBy: ofSavepoint
  });
  commands.addCommand(CommandIDs.fork, {
    label: trans.__('Fork from Savepoint'),
    caption: trans.__(
      'Restore into a copy: a new execution starts from this savepoint, the old one stays as it is'
    ),
    icon: forkIcon,
    isEnabled: args => canRestore(context, args),
    execute: args => fork(context, targetOf(context, args, 'savepoint', 'savepointId')),
    describedBy: ofSavepoint
  });
  commands.addCommand(CommandIDs.copyId, {
    label: args =>
      targetOf(context, args, 'savepoint', 'savepointId') === null
        ? trans.__('Copy Execution Id')
        : trans.__('Copy Savepoint Id'),
    caption: trans.__('Copy the id, for the command line or a flow'),
    icon: copyIcon,
    isEnabled: args => idIn(context, args) !== null,
    execute: args => Clipboard.copyToSystem(idIn(context, args) ?? ''),
    describedBy
  });
}

function executionIn(context: ICommandContext, args: ReadonlyPartialJSONObject): string | null {
  return targetOf(context, args, 'id', 'executionId') ?? (args.fromMenu ? null : context.inFront());
}

function idIn(context: ICommandContext, args: ReadonlyPartialJSONObject): string | null {
  return targetOf(context, args, 'savepoint', 'savepointId') ?? executionIn(context, args);
}

function known(context: ICommandContext, args: ReadonlyPartialJSONObject): IExecutionView | undefined {
  const id = executionIn(context, args);
  return id === null ? undefined : context.executions.store.get(id);
}

// An argument is taken at its word; what was clicked on says itself whether anything can go on from it.
function canRestore(context: ICommandContext, args: ReadonlyPartialJSONObject): boolean {
  if (typeof args.savepoint === 'string') {
    return true;
  }
  const row = args.fromMenu
    ? context.app.contextMenuHitTest(node => 'savepointId' in node.dataset)
    : undefined;
  return row?.dataset.exact === 'true';
}

async function change(
  context: ICommandContext,
  args: ReadonlyPartialJSONObject,
  whenRefused: string,
  action: (id: string) => Promise<IExecutionView>
): Promise<void> {
  const id = executionIn(context, args);
  if (id !== null) {
    await attempt(context, whenRefused, async () => context.acted(await action(id)));
  }
}

async function cancel(context: ICommandContext, id: string | null): Promise<void> {
  const { trans } = context.shell;
  if (id === null) {
    return;
  }
  await attempt(context, trans.__('The execution cannot be cancelled'), async () => {
    const execution = await context.api.execution(id);
    if (isFinal(execution.status)) {
      context.acted(execution);
      Notification.info(trans.__('“%1” has ended already.', execution.name), { autoClose: 4000 });
    } else if (await confirmCancel(context.shell, execution)) {
      context.acted(await context.api.cancel(id));
    }
  });
}

async function again(context: ICommandContext, id: string | null): Promise<void> {
  const { trans } = context.shell;
  if (id === null) {
    return;
  }
  await attempt(context, trans.__('The execution cannot be run again'), async () => {
    const execution = await context.api.again(id);
    context.acted(execution);
    if (context.preferences.openOnRun) {
      context.open(execution.id, null);
    }
    tell(trans.__('“%1” runs again, with the same inputs.', execution.name));
  });
}

async function archive(context: ICommandContext, id: string | null): Promise<void> {
  const { trans } = context.shell;
  if (id === null) {
    return;
  }
  await attempt(context, trans.__('The execution cannot be archived'), async () => {
    const execution = await context.api.execution(id);
    if (await confirmArchive(context.shell, execution)) {
      context.acted(await context.api.archive(id));
    }
  });
}

async function restore(
  context: ICommandContext,
  savepointId: string | null,
  code: Code = 'saved'
): Promise<void> {
  const { shell, api, preferences } = context;
  const { trans } = shell;
  if (savepointId === null) {
    return;
  }
  await attempt(context, trans.__('The savepoint cannot be restored'), async () => {
    const savepoint = await api.savepoint(savepointId);
    const execution = await api.execution(savepoint.execution_id);
    const panel = execution.type === 'NOTEBOOK' ? findNotebook(context.notebooks, execution) : undefined;
    if (execution.type === 'NOTEBOOK' && !panel) {
      await tellToOpenNotebook(context, savepoint, execution.flow);
      return;
    }
    if (preferences.confirmRestore) {
      const answer = await confirmRestore(shell, execution, savepoint, panel ? pathOf(panel) : null, code);
      if (!answer.isAccepted) {
        return;
      }
      if (answer.isLast) {
        await preferences.neverAskBeforeRestore();
      }
    }
    if (code === 'current') {
      await saveNotebook(context.notebooks, execution);
    }
    if (panel) {
      context.app.shell.activateById(panel.id);
      await restoreInNotebook(panel, savepointId, code);
    } else {
      context.acted(await api.restore(savepointId, code));
      tell(trans.__('“%1” goes on from “%2”.', execution.name, savepointTitle(savepoint)));
    }
  });
}

// Only the kernel of an open notebook can go back: the server says why when asked.
async function tellToOpenNotebook(
  context: ICommandContext,
  savepoint: ISavepointView,
  flow: string | null
): Promise<void> {
  const { trans } = context.shell;
  const title = trans.__('The savepoint cannot be restored');
  try {
    context.acted(await context.api.restore(savepoint.id));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const advice = trans.__(
      'Open %1 with the Flows kernel, then restore again.',
      `${flow ?? trans.__('the notebook')}.ipynb`
    );
    await showErrorMessage(title, flow === null ? why : `${why}\n\n${advice}`);
  }
}

async function fork(context: ICommandContext, savepointId: string | null): Promise<void> {
  const { trans } = context.shell;
  if (savepointId === null) {
    return;
  }
  await attempt(context, trans.__('No execution can be started from the savepoint'), async () => {
    const execution = await context.api.fork(savepointId);
    context.acted(execution);
    context.open(execution.id, null);
    tell(trans.__('A copy, “%1”, goes on from the savepoint.', execution.name));
  });
}

function tell(text: string): void {
  Notification.success(text, { autoClose: 4000 });
}
