import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { IExecutionView } from '../../api';
import type { ExecutionModel, Tab } from '../../model/execution';
import { TABS } from '../../model/execution';
import { useShell } from '../shell';
import { ChildrenTab } from './childrenTab';
import { LogTab } from './logTab';
import { NotebookTab } from './notebookTab';
import { SavepointsTab } from './savepointsTab';
import { ValuesTab } from './valuesTab';

/** The tabs; arrows, Home and End move among them. */
export function Tabs(props: { model: ExecutionModel; execution: IExecutionView }): React.ReactElement {
  const { model, execution } = props;
  const { trans } = useShell();
  const id = React.useId();
  const list = React.useRef<HTMLDivElement>(null);
  const select = (tab: Tab): void => {
    model.tab = tab;
    list.current?.querySelector<HTMLElement>(`[data-tab="${tab}"]`)?.focus();
  };
  const onKeyDown = (event: React.KeyboardEvent): void => {
    const at = TABS.indexOf(model.tab);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: TABS.length - 1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      select(TABS[(to + TABS.length) % TABS.length]);
    }
  };
  return (
    <>
      <div
        ref={list}
        className="jp-Flows-tabs"
        role="tablist"
        aria-label={trans.__('Parts of the execution')}
        onKeyDown={onKeyDown}
      >
        {TABS.map(tab => (
          <button
            key={tab}
            id={`${id}${tab}`}
            type="button"
            role="tab"
            className="jp-Flows-tab"
            data-tab={tab}
            aria-selected={tab === model.tab}
            aria-controls={`${id}panel`}
            tabIndex={tab === model.tab ? 0 : -1}
            onClick={() => select(tab)}
          >
            {tabLabel(tab, trans)}
            <Count tab={tab} execution={execution} />
          </button>
        ))}
      </div>
      <div
        id={`${id}panel`}
        className="jp-Flows-tabPanel"
        role="tabpanel"
        data-tab={model.tab}
        aria-labelledby={`${id}${model.tab}`}
        tabIndex={-1}
      >
        <Content model={model} execution={execution} />
      </div>
    </>
  );
}

function Count(props: { tab: Tab; execution: IExecutionView }): React.ReactElement | null {
  const { tab, execution } = props;
  const count = tab === 'children' ? execution.children : tab === 'savepoints' ? execution.savepoints : 0;
  return count > 0 ? <span className="jp-Flows-count">{count}</span> : null;
}

function Content(props: { model: ExecutionModel; execution: IExecutionView }): React.ReactElement {
  const { model, execution } = props;
  switch (model.tab) {
    case 'children':
      return <ChildrenTab model={model} />;
    case 'savepoints':
      return <SavepointsTab model={model} />;
    case 'log':
      return <LogTab model={model} />;
    case 'values':
      return <ValuesTab execution={execution} />;
    case 'notebook':
      return <NotebookTab model={model} execution={execution} />;
  }
}

function tabLabel(tab: Tab, trans: TranslationBundle): string {
  switch (tab) {
    case 'children':
      return trans.__('Children');
    case 'savepoints':
      return trans.__('Savepoints');
    case 'log':
      return trans.__('Log');
    case 'values':
      return trans.__('Inputs and Outputs');
    case 'notebook':
      return trans.__('Notebook');
  }
}
