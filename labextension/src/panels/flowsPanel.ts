import type { ITranslator } from '@jupyterlab/translation';
import { CommandToolbarButton, PanelWithToolbar, SidePanel } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import type { Widget } from '@lumino/widgets';

import { flowsIcon } from '../icons';
import type { ExecutionsModel } from '../model/executions';
import type { FlowsModel } from '../model/flows';
import type { Live } from '../model/live';
import { CommandIDs } from '../tokens';
import { ExecutionsSection } from './executionsSection';
import { FlowsSection } from './flowsSection';
import type { IShell } from './shell';

/** The side panel: the flows, and below them their executions. */
export class FlowsPanel extends SidePanel {
  constructor(options: {
    shell: IShell;
    live: Live;
    flows: FlowsModel;
    executions: ExecutionsModel;
    translator: ITranslator;
  }) {
    super({ translator: options.translator });
    const { shell, live } = options;
    const { trans } = shell;
    this.id = 'jp-Flows-panel';
    this.addClass('jp-Flows-panel');
    this.title.icon = flowsIcon;
    this.title.caption = trans.__('Flows');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', trans.__('Flows'));
    this.content.node.removeAttribute('role');
    this.content.node.removeAttribute('aria-label');
    const flows = new FlowsSection(shell, live, options.flows);
    const executions = new ExecutionsSection(shell, live, options.executions);
    this.addWidget(section(shell, trans.__('Flows'), flows, [CommandIDs.refresh]));
    this.addWidget(
      section(shell, trans.__('Executions'), executions, [CommandIDs.refresh, CommandIDs.collapseAll])
    );
  }

  // Opened by command, it is ready for the keyboard.
  protected override onActivateRequest(message: Message): void {
    super.onActivateRequest(message);
    this.node.querySelector<HTMLElement>('.jp-Flows-tree')?.focus({ preventScroll: true });
  }
}

function section(shell: IShell, title: string, content: Widget, commands: string[]): PanelWithToolbar {
  const panel = new PanelWithToolbar();
  panel.addClass('jp-Flows-section');
  panel.title.label = title;
  panel.node.setAttribute('role', 'region');
  panel.node.setAttribute('aria-label', title);
  panel.toolbar.node.setAttribute('aria-label', shell.trans.__('%1 toolbar', title));
  panel.addWidget(content);
  commands.forEach(id =>
    panel.toolbar.addItem(id, new CommandToolbarButton({ commands: shell.commands, id, label: '' }))
  );
  return panel;
}
