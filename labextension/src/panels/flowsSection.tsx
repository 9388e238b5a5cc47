import { notebookIcon, pythonIcon, runIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { IFlowView } from '../api';
import { warningIcon } from '../icons';
import type { FlowsModel } from '../model/flows';
import { CommandIDs } from '../tokens';
import { EmptyState, Failure, FailureBar, Loading } from './empty';
import { FilterBox } from './filterBox';
import { LiveWidget } from './liveWidget';
import type { Live } from '../model/live';
import type { IShell } from './shell';
import { useShell, useSignal } from './shell';
import type { ITreeItem } from './windowedTree';
import { listMove, WindowedTree } from './windowedTree';

const ROW_HEIGHT = 40;
const FILTER_FROM = 11;

interface IFlowItem extends ITreeItem {
  readonly flow: IFlowView;
}

/** The flows found under the root, each with a button to run it. */
export class FlowsSection extends LiveWidget {
  constructor(
    shell: IShell,
    live: Live,
    private readonly _model: FlowsModel
  ) {
    super(shell, live, _model);
    this.addClass('jp-Flows-flows');
  }

  protected body(): React.ReactElement {
    return <FlowList model={this._model} />;
  }
}

function FlowList(props: { model: FlowsModel }): React.ReactElement {
  const { model } = props;
  const { trans, commands } = useShell();
  useSignal(model.changed);
  const [active, setActive] = React.useState<string | null>(null);
  const { value, error } = model.flows;
  const retry = (): void => void commands.execute(CommandIDs.refresh);
  if (value === null) {
    return error ? <Failure error={error} retry={retry} /> : <Loading />;
  }
  if (value.length === 0) {
    return (
      <EmptyState title={trans.__('No flows yet.')}>
        {trans.__(
          'A notebook with the Flows kernel is a flow, and so is a Python script with a function handler(system, this).'
        )}
      </EmptyState>
    );
  }
  const shown = model.shown;
  const items = shown.map((flow, index) => toItem(flow, index, shown.length));
  const run = (flow: IFlowView): void => {
    if (flow.error === null) {
      void commands.execute(CommandIDs.run, { flow: flow.name });
    }
  };
  return (
    <>
      {error && <FailureBar error={error} />}
      {value.length >= FILTER_FROM && (
        <FilterBox
          value={model.filter}
          label={trans.__('Filter flows')}
          onChange={text => {
            model.filter = text;
          }}
        />
      )}
      {shown.length === 0 ? (
        <EmptyState title={trans.__('No flow matches the filter.')} />
      ) : (
        <WindowedTree<IFlowItem>
          items={items}
          label={trans.__('Flows')}
          active={active}
          setActive={setActive}
          open={item => void commands.execute(CommandIDs.openFlow, { flow: item.flow.name })}
          onKey={(event, item) => {
            if (event.key === 'Enter' && event.shiftKey && item) {
              run(item.flow);
              return true;
            }
            const next = listMove(
              items.map(({ key }) => key),
              active,
              event.key
            );
            if (next !== null) {
              setActive(next);
            }
            return next !== null;
          }}
          render={(item, isActive) => (
            <FlowRow flow={item.flow} isActive={isActive} run={() => run(item.flow)} />
          )}
        />
      )}
    </>
  );
}

function FlowRow(props: { flow: IFlowView; isActive: boolean; run: () => void }): React.ReactElement {
  const { flow } = props;
  const { trans } = useShell();
  const Icon = flow.kind === 'notebook' ? notebookIcon : pythonIcon;
  // In a narrow panel the directory gives way first.
  const name = flow.name.slice(flow.name.lastIndexOf('/') + 1);
  const directory = flow.name.slice(0, flow.name.length - name.length);
  const reason = flow.error === null ? null : trans.__('Cannot run: %1', flow.error);
  return (
    <>
      <span className="jp-Flows-rowIcon" aria-hidden>
        <Icon.react tag={null} />
      </span>
      <div className="jp-Flows-rowText" title={reason ?? flow.path}>
        <div className="jp-Flows-rowFirst jp-Flows-flowName">
          <span className="jp-Flows-directory">{directory}</span>
          <span className="jp-Flows-name">{name}</span>
        </div>
        {reason === null ? (
          <div className="jp-Flows-rowSecond">{flow.title || flow.path}</div>
        ) : (
          <div className="jp-Flows-rowSecond jp-Flows-reason">
            <warningIcon.react tag="span" className="jp-Flows-warning" />
            <span>{reason}</span>
          </div>
        )}
      </div>
      <button
        type="button"
        className="jp-Flows-iconButton jp-Flows-run"
        tabIndex={props.isActive ? 0 : -1}
        aria-label={trans.__('Run %1', flow.name)}
        aria-disabled={reason !== null}
        title={reason ?? trans.__('Run %1 (Shift+Enter)', flow.name)}
        onClick={props.run}
        onDoubleClick={event => event.stopPropagation()}
      >
        <runIcon.react tag={null} />
      </button>
    </>
  );
}

function toItem(flow: IFlowView, index: number, size: number): IFlowItem {
  return {
    flow,
    key: flow.name,
    height: ROW_HEIGHT,
    level: 1,
    position: index + 1,
    size,
    data: { 'data-flow': flow.name, ...(flow.error === null ? {} : { 'data-error': flow.error }) },
    label: [flow.name, flow.title, flow.error].filter(Boolean).join(', ')
  };
}
