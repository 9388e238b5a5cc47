import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILabShell, ILayoutRestorer } from '@jupyterlab/application';
import {
  CommandToolbarButton,
  ICommandPalette,
  IToolbarWidgetRegistry,
  MainAreaWidget,
  WidgetTracker
} from '@jupyterlab/apputils';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';

import type { IExecutionView } from './api';
import { FlowsClient } from './client';
import type { ICommandContext } from './commands/context';
import { addExecutionCommands } from './commands/executions';
import { addFlowCommands } from './commands/flows';
import { flowsIcon } from './icons';
import type { Tab } from './model/execution';
import { ExecutionModel, TABS } from './model/execution';
import { ExecutionsModel } from './model/executions';
import { FlowsModel } from './model/flows';
import { Live } from './model/live';
import { ChangeStream } from './model/stream';
import { ExecutionPanel } from './panels/execution/view';
import { FlowsPanel } from './panels/flowsPanel';
import type { IShell } from './panels/shell';
import { Preferences } from './preferences';
import { CommandIDs, DOMAIN, IFlows, PLUGIN_ID } from './tokens';

// Between those of the application (below 501) and the end (899) that is left to extensions.
const RANK = 510;

class FlowsService implements IFlows {
  constructor(readonly api: FlowsClient) {}

  readonly acted = new Signal<this, IExecutionView>(this);
}

type ExecutionTab = MainAreaWidget<ExecutionPanel>;

const plugin: JupyterFrontEndPlugin<IFlows> = {
  id: PLUGIN_ID,
  description: 'The Flows side panel and the view of an execution.',
  autoStart: true,
  provides: IFlows,
  requires: [IRenderMimeRegistry],
  optional: [
    ITranslator,
    ISettingRegistry,
    ICommandPalette,
    ILayoutRestorer,
    INotebookTracker,
    IToolbarWidgetRegistry,
    ILabShell
  ],
  activate
};

export default plugin;

function activate(
  app: JupyterFrontEnd,
  rendermime: IRenderMimeRegistry,
  translator: ITranslator | null,
  settings: ISettingRegistry | null,
  palette: ICommandPalette | null,
  restorer: ILayoutRestorer | null,
  notebooks: INotebookTracker | null,
  toolbars: IToolbarWidgetRegistry | null,
  labShell: ILabShell | null
): IFlows {
  const language = (translator ?? nullTranslator).languageCode.replace('_', '-');
  const shell: IShell = {
    commands: app.commands,
    trans: (translator ?? nullTranslator).load(DOMAIN),
    locale: language,
    rendermime
  };
  const api = new FlowsClient(app.serviceManager.serverSettings);
  const live = new Live(new ChangeStream(after => api.openEvents(after)));
  const flows = new FlowsModel(api);
  const executions = new ExecutionsModel(api);
  const preferences = new Preferences(settings, live);
  const tracker = new WidgetTracker<ExecutionTab>({ namespace: 'jupyter-flows-execution' });

  const service = new FlowsService(api);
  const acted = (execution: IExecutionView): void => {
    executions.take(execution);
    tracker.find(({ content }) => content.model.id === execution.id)?.content.model.take(execution);
    service.acted.emit(execution);
  };
  const context: ICommandContext = {
    app,
    shell,
    api,
    live,
    flows,
    executions,
    notebooks,
    preferences,
    acted,
    open: (id, tab) => openExecution(context, tracker, id, tab),
    inFront: () => {
      const widget = tracker.currentWidget;
      return widget?.isVisible ? widget.content.model.id : null;
    }
  };
  addFlowCommands(context);
  addExecutionCommands(context);
  executions.changed.connect(() => {
    notifyOfStatus(app);
  });

  const panel = new FlowsPanel({ shell, live, flows, executions, translator: translator ?? nullTranslator });
  app.shell.add(panel, 'left', { rank: RANK, type: 'Flows' });
  restorer?.add(panel, 'jupyter-flows');
  void restorer?.restore(tracker, {
    command: CommandIDs.openExecution,
    args: ({ content }) => ({ id: content.model.id, tab: content.model.tab }),
    name: ({ content }) => content.model.id
  });
  addToPalette(context, palette);
  addNotebookButton(context, toolbars);
  labShell?.currentChanged.connect(() => {
    app.commands.notifyCommandChanged(CommandIDs.openParent);
  });
  return service;
}

// The commands whose use depends on the status of an execution.
function notifyOfStatus(app: JupyterFrontEnd): void {
  [CommandIDs.cancel, CommandIDs.pause, CommandIDs.resume, CommandIDs.again, CommandIDs.archive].forEach(id =>
    app.commands.notifyCommandChanged(id)
  );
}

function openExecution(
  context: ICommandContext,
  tracker: WidgetTracker<ExecutionTab>,
  id: string,
  tab: Tab | null
): void {
  const { app, shell, api, live, executions } = context;
  const open = tracker.find(({ content }) => content.model.id === id);
  if (open) {
    if (tab) {
      open.content.model.tab = tab;
    }
    app.shell.activateById(open.id);
    return;
  }
  const model = new ExecutionModel(api, id, TABS.find(known => known === tab) ?? null, executions.store);
  const widget = new MainAreaWidget({ content: new ExecutionPanel(shell, live, model) });
  widget.id = `jp-Flows-execution-${id}`;
  widget.toolbar.hide(); // the buttons stand in the header
  widget.title.icon = flowsIcon;
  widget.title.closable = true;
  let saved: Tab | null = null;
  const update = (): void => {
    const execution = model.execution.value;
    widget.title.label = execution?.name ?? shell.trans.__('Execution');
    widget.title.caption = execution
      ? shell.trans.__('Execution of %1\n%2', execution.flow ?? execution.name, execution.id)
      : id;
    notifyOfStatus(app);
    if (tracker.has(widget) && saved !== model.tab) {
      saved = model.tab; // for the next reload of the page
      void tracker.save(widget);
    }
  };
  model.changed.connect(update);
  update();
  void tracker.add(widget);
  app.shell.add(widget, 'main');
  app.shell.activateById(widget.id);
}

function addToPalette(context: ICommandContext, palette: ICommandPalette | null): void {
  const category = context.shell.trans.__('Flows');
  [
    CommandIDs.openPanel,
    CommandIDs.refresh,
    CommandIDs.run,
    CommandIDs.runWithInputs,
    CommandIDs.runNotebook,
    CommandIDs.openParent,
    CommandIDs.pause,
    CommandIDs.resume,
    CommandIDs.cancel,
    CommandIDs.again,
    CommandIDs.archive
  ].forEach(command => palette?.addItem({ command, category }));
}

// Named in the schema's `jupyter.lab.toolbars`, so that users can move or drop it.
function addNotebookButton(context: ICommandContext, toolbars: IToolbarWidgetRegistry | null): void {
  const { commands } = context.app;
  toolbars?.addFactory<NotebookPanel>('Notebook', 'run-flow', panel => {
    const refresh = (): void => commands.notifyCommandChanged(CommandIDs.runNotebook);
    panel.sessionContext.kernelChanged.connect(refresh);
    panel.sessionContext.ready.then(refresh, () => undefined);
    const id = CommandIDs.runNotebook;
    return new CommandToolbarButton({ commands, id, args: { panel: panel.id, toolbar: true } });
  });
}
