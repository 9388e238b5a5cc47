import { caretDownIcon, caretRightIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { isFinal } from '../api';
import { messageOf, statusText, typeWord } from '../format';
import type { ExecutionsModel } from '../model/executions';
import type { Live } from '../model/live';
import type { ITreeRow } from '../model/tree';
import { treeMove } from '../model/tree';
import { CommandIDs } from '../tokens';
import { EmptyState, Failure, FailureBar, Loading } from './empty';
import { FilterBox } from './filterBox';
import { LiveWidget } from './liveWidget';
import type { IShell } from './shell';
import { useNow, useShell, useSignal } from './shell';
import { RelativeTime, StatusIcon } from './status';
import type { ITreeItem } from './windowedTree';
import { WindowedTree } from './windowedTree';

const ROW_HEIGHT = 40;
const FILTER_FROM = 11;
const TICK = 5000;

interface IRowItem extends ITreeItem {
  readonly row: ITreeRow;
}

/** All executions as a tree of parents and children, live. */
export class ExecutionsSection extends LiveWidget {
  constructor(
    shell: IShell,
    live: Live,
    private readonly _model: ExecutionsModel
  ) {
    super(shell, live, _model);
    this.addClass('jp-Flows-executions');
  }

  protected body(): React.ReactElement {
    return <ExecutionTree model={this._model} />;
  }
}

function ExecutionTree(props: { model: ExecutionsModel }): React.ReactElement {
  const { model } = props;
  const { trans, commands } = useShell();
  useSignal(model.changed);
  const retry = (): void => void commands.execute(CommandIDs.refresh);
  if (!model.isLoaded) {
    return <Loading />;
  }
  if (model.error && model.rootCount === 0) {
    return <Failure error={model.error} retry={retry} />;
  }
  if (model.rootCount === 0) {
    return (
      <EmptyState title={trans.__('No executions yet.')}>
        {trans.__('Run a flow from the list above; its execution appears here.')}
      </EmptyState>
    );
  }
  const rows = model.rows;
  return (
    <>
      {model.error && <FailureBar error={model.error} />}
      {(rows.length >= FILTER_FROM || model.filter || model.hasMore) && (
        <FilterBox
          value={model.filter}
          label={trans.__('Filter executions')}
          onChange={text => {
            model.filter = text;
          }}
        />
      )}
      {rows.length === 0 ? (
        <EmptyState title={trans.__('No execution matches the filter.')} />
      ) : (
        <Rows model={model} rows={rows} />
      )}
    </>
  );
}

function Rows(props: { model: ExecutionsModel; rows: ITreeRow[] }): React.ReactElement {
  const { model, rows } = props;
  const { trans, commands } = useShell();
  const now = useNow(TICK);
  const [active, setActive] = React.useState<string | null>(null);
  const items = rows.map((row): IRowItem => {
    const { execution } = row;
    const status = statusText(execution, trans);
    return {
      row,
      key: execution.id,
      height: ROW_HEIGHT,
      level: row.level,
      position: row.position,
      size: row.size,
      isExpanded: row.isExpandable ? row.isExpanded : undefined,
      data: {
        'data-execution-id': execution.id,
        'data-status': execution.status,
        'data-name': execution.name
      },
      label: [execution.name, status, messageOf(execution)].filter(Boolean).join(', ')
    };
  });
  const onKey = (event: React.KeyboardEvent, item: IRowItem | undefined): boolean => {
    if (event.key === 'Delete' && item && !isFinal(item.row.execution.status)) {
      void commands.execute(CommandIDs.cancel, { id: item.key });
      return true;
    }
    const move = treeMove(rows, active, event.key);
    if (move === null) {
      return false;
    }
    if ('focus' in move) {
      setActive(move.focus);
    } else if ('expand' in move) {
      model.expand(move.expand);
    } else {
      model.collapse(move.collapse);
    }
    return true;
  };
  return (
    <WindowedTree<IRowItem>
      items={items}
      label={trans.__('Executions')}
      active={active}
      setActive={setActive}
      open={item => void commands.execute(CommandIDs.openExecution, { id: item.key })}
      onKey={onKey}
      render={item => <Row row={item.row} model={model} now={now} />}
      footer={model.hasMore && <LoadMore model={model} />}
    />
  );
}

function Row(props: { row: ITreeRow; model: ExecutionsModel; now: number }): React.ReactElement {
  const { row, model } = props;
  const { trans } = useShell();
  const { execution } = row;
  const message = messageOf(execution);
  const Caret = row.isExpanded ? caretDownIcon : caretRightIcon;
  const toggle = (): void => (row.isExpanded ? model.collapse(execution.id) : model.expand(execution.id));
  return (
    <>
      <span className="jp-Flows-indent" style={{ width: (row.level - 1) * 14 }} />
      <span
        className="jp-Flows-caret"
        onClick={row.isExpandable ? toggle : undefined}
        onDoubleClick={event => event.stopPropagation()}
        aria-hidden
      >
        {row.isExpandable && <Caret.react tag={null} />}
      </span>
      <StatusIcon status={execution.status} />
      <div className="jp-Flows-rowText" title={[execution.name, message].filter(Boolean).join('\n')}>
        <div className="jp-Flows-rowFirst">
          <span className="jp-Flows-name">{execution.name}</span>
          <RelativeTime
            instant={execution.ended_at ?? execution.started_at ?? execution.created_at}
            now={props.now}
          />
        </div>
        <div className="jp-Flows-rowSecond">
          <span className="jp-Flows-statusWord" data-status={execution.status}>
            {statusText(execution, trans)}
          </span>
          {execution.type === 'NOTEBOOK' && (
            <span className="jp-Flows-part">{typeWord(execution, trans)}</span>
          )}
          {message && <span className="jp-Flows-part jp-Flows-message">{message}</span>}
        </div>
      </div>
    </>
  );
}

function LoadMore(props: { model: ExecutionsModel }): React.ReactElement {
  const { trans } = useShell();
  return (
    <button
      type="button"
      className="jp-Button jp-mod-styled jp-mod-minimal jp-Flows-button jp-Flows-more"
      aria-disabled={props.model.isLoadingMore}
      onClick={() => void props.model.loadMore()}
    >
      {props.model.isLoadingMore ? trans.__('Loading…') : trans.__('Load More')}
    </button>
  );
}
