import { InputDialog } from '@jupyterlab/apputils';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { collapseAllIcon, refreshIcon, runIcon } from '@jupyterlab/ui-components';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import type { IFlowView, Json } from '../api';
import { flowsIcon } from '../icons';
import { hasFlowsKernel, pathOf } from '../notebooks';
import { askForInputs } from '../panels/inputsDialog';
import { CommandIDs } from '../tokens';
import type { ICommandContext } from './context';
import { attempt, targetOf, textArguments } from './context';

/** The commands that have to do with flows: run, open the source; and those of the panel itself. */
export function addFlowCommands(context: ICommandContext): void {
  const { app, shell, live, executions } = context;
  const { trans } = shell;
  const { commands } = app;
  const describedBy = textArguments({
    flow: trans.__('The name of the flow; asked for when it is left out.')
  });

  commands.addCommand(CommandIDs.openPanel, {
    label: trans.__('Show Flows'),
    caption: trans.__('Show the flows and their executions'),
    icon: flowsIcon,
    execute: () => app.shell.activateById('jp-Flows-panel'),
    describedBy: textArguments({})
  });
  commands.addCommand(CommandIDs.refresh, {
    label: trans.__('Refresh Flows and Executions'),
    caption: trans.__('Fetch what the panels show anew'),
    icon: refreshIcon,
    execute: () => live.refresh().catch(() => undefined),
    describedBy: textArguments({})
  });
  commands.addCommand(CommandIDs.run, {
    label: args => (args.fromMenu ? trans.__('Run') : trans.__('Run Flow…')),
    caption: trans.__('Start an execution of a flow; asks for inputs if it has parameters'),
    icon: runIcon,
    isEnabled: args => !args.fromMenu || flowIn(context, args)?.error === null,
    execute: args => runChosen(context, args, false),
    describedBy
  });
  commands.addCommand(CommandIDs.runWithInputs, {
    label: trans.__('Run with Inputs…'),
    caption: trans.__('Give inputs, then start an execution of a flow'),
    isEnabled: args => !args.fromMenu || flowIn(context, args)?.error === null,
    execute: args => runChosen(context, args, true),
    describedBy
  });
  commands.addCommand(CommandIDs.openFlow, {
    label: trans.__('Open Source'),
    caption: trans.__('Open the notebook or script of the flow'),
    execute: args => openFlow(context, args),
    describedBy
  });
  commands.addCommand(CommandIDs.runNotebook, {
    label: trans.__('Run Flow'),
    caption: trans.__('Save this notebook, then start an execution of it'),
    icon: flowsIcon,
    isEnabled: args => notebookIn(context, args) !== undefined,
    isVisible: args => notebookIn(context, args) !== undefined,
    execute: args => runNotebook(context, notebookIn(context, args)),
    describedBy: textArguments({
      panel: trans.__('The id of the notebook panel; the current one by default.')
    })
  });
  commands.addCommand(CommandIDs.collapseAll, {
    label: trans.__('Collapse All Executions'),
    caption: trans.__('Hide the children of all executions'),
    icon: collapseAllIcon,
    execute: () => executions.collapseAll(),
    describedBy: textArguments({})
  });
}

function flowIn(context: ICommandContext, args: ReadonlyPartialJSONObject): IFlowView | undefined {
  const name = targetOf(context, args, 'flow', 'flow');
  return name === null ? undefined : context.flows.named(name);
}

// A notebook with the Flows kernel: that of the toolbar, else the current one.
function notebookIn(context: ICommandContext, args: ReadonlyPartialJSONObject): NotebookPanel | undefined {
  const { notebooks } = context;
  const panel =
    typeof args.panel === 'string'
      ? notebooks?.find(({ id }) => id === args.panel)
      : notebooks?.currentWidget;
  return panel && hasFlowsKernel(panel) ? panel : undefined;
}

async function openFlow(context: ICommandContext, args: ReadonlyPartialJSONObject): Promise<void> {
  const { trans } = context.shell;
  await attempt(context, trans.__('The source cannot be opened'), async () => {
    if (!flowIn(context, args)) {
      await context.flows.refresh();
    }
    const flow = flowIn(context, args);
    if (!flow) {
      throw new Error(trans.__('There is no flow %1.', targetOf(context, args, 'flow', 'flow') ?? ''));
    }
    await context.app.commands.execute('docmanager:open', { path: flow.path });
  });
}

async function runNotebook(context: ICommandContext, panel: NotebookPanel | undefined): Promise<void> {
  if (!panel) {
    return;
  }
  const { trans } = context.shell;
  await attempt(context, trans.__('The notebook cannot be run as a flow'), async () => {
    if (panel.context.model.dirty) {
      await panel.context.save();
    }
    await context.flows.refresh();
    const flow = context.flows.atPath(pathOf(panel));
    if (!flow) {
      throw new Error(trans.__('The server does not see %1 among its flows.', pathOf(panel)));
    }
    await run(context, flow, undefined, false);
  });
}

async function runChosen(
  context: ICommandContext,
  args: ReadonlyPartialJSONObject,
  asksAlways: boolean
): Promise<void> {
  const { trans } = context.shell;
  await attempt(context, trans.__('The flow cannot be run'), async () => {
    const name = targetOf(context, args, 'flow', 'flow');
    if (context.flows.flows.value === null || (name !== null && !context.flows.named(name))) {
      await context.flows.refresh();
    }
    const flow = name === null ? await chooseFlow(context) : context.flows.named(name);
    if (name !== null && !flow) {
      throw new Error(trans.__('There is no flow %1.', name));
    }
    if (flow) {
      await run(context, flow, args.inputs as Record<string, Json> | undefined, asksAlways);
    }
  });
}

async function chooseFlow(context: ICommandContext): Promise<IFlowView | undefined> {
  const { trans } = context.shell;
  const flows = (context.flows.flows.value ?? []).filter(flow => flow.error === null);
  if (flows.length === 0) {
    throw new Error(trans.__('There is no flow that can be run.'));
  }
  const chosen = await InputDialog.getItem({
    title: trans.__('Run Flow'),
    label: trans.__('Flow'),
    items: flows.map(flow => flow.name),
    okLabel: trans.__('Run')
  });
  return chosen.button.accept ? flows.find(flow => flow.name === chosen.value) : undefined;
}

async function run(
  context: ICommandContext,
  flow: IFlowView,
  given: Record<string, Json> | undefined,
  asksAlways: boolean
): Promise<void> {
  const { trans } = context.shell;
  if (flow.error !== null) {
    throw new Error(flow.error);
  }
  let inputs = given ?? {};
  if (given === undefined && (asksAlways || Object.keys(flow.parameters).length > 0)) {
    const answer = await askForInputs(flow, trans);
    if (answer === null) {
      return;
    }
    inputs = answer;
  }
  const execution = await context.api.start(flow.name, inputs);
  context.acted(execution);
  if (context.preferences.openOnRun) {
    context.open(execution.id, null);
  }
}
