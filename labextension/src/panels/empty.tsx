import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { ApiError } from '../api';
import { useShell } from './shell';

/** What stands where there is nothing to list: why, and what to do. */
export function EmptyState(props: {
  title: string;
  children?: React.ReactNode;
  action?: { label: string; run: () => void };
}): React.ReactElement {
  return (
    <div className="jp-Flows-empty" role="status">
      <div className="jp-Flows-emptyTitle">{props.title}</div>
      {props.children && <div className="jp-Flows-emptyText">{props.children}</div>}
      {props.action && (
        <button
          type="button"
          className="jp-Button jp-mod-styled jp-mod-minimal jp-Flows-button"
          onClick={props.action.run}
        >
          {props.action.label}
        </button>
      )}
    </div>
  );
}

export function Loading(): React.ReactElement {
  const { trans } = useShell();
  return (
    <div className="jp-Flows-empty" role="status">
      <span className="jp-Flows-spinner" aria-hidden />
      <div className="jp-Flows-emptyText">{trans.__('Loading…')}</div>
    </div>
  );
}

/** Why nothing can be shown. */
export function Failure(props: { error: ApiError; retry: () => void }): React.ReactElement {
  const { trans } = useShell();
  const { title, advice } = explain(props.error, trans);
  return (
    <EmptyState title={title} action={{ label: trans.__('Try Again'), run: props.retry }}>
      {advice}
    </EmptyState>
  );
}

/** The same in one line, above things that were fetched before. */
export function FailureBar(props: { error: ApiError }): React.ReactElement {
  const { trans } = useShell();
  const { title } = explain(props.error, trans);
  return (
    <div className="jp-Flows-failureBar" role="alert" title={props.error.message}>
      {trans.__('%1 What is shown may be old.', title)}
    </div>
  );
}

function explain(error: ApiError, trans: TranslationBundle): { title: string; advice: React.ReactNode } {
  if (error.status === 404 && !error.type) {
    return {
      title: trans.__('The server part of flows is missing.'),
      advice: (
        <>
          {trans.__('Enable it where the Jupyter server runs, then start the server again:')}
          <code>jupyter server extension enable jupyter_flows</code>
        </>
      )
    };
  }
  if (error.status === 0) {
    return {
      title: trans.__('The Jupyter server does not answer.'),
      advice: trans.__('The panel comes back as soon as it does.')
    };
  }
  if (error.status === 401 || error.status === 403) {
    return { title: trans.__('You may not see the flows of this server.'), advice: error.message };
  }
  if (error.status === 503) {
    return { title: trans.__('The store of executions cannot be reached.'), advice: error.message };
  }
  return { title: trans.__('The server could not answer.'), advice: error.message };
}
