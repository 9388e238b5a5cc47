import * as React from 'react';

import type { IExecutionView, Status } from '../api';
import { exactTime, relativeTime, statusText, statusWord } from '../format';
import { statusIcon } from '../icons';
import { useShell } from './shell';

/** The icon of a status. The word stands beside it, or is its name for screen readers. */
export function StatusIcon(props: { status: Status; isNamed?: boolean }): React.ReactElement {
  const { trans } = useShell();
  const word = statusWord(props.status, trans);
  const Icon = statusIcon(props.status);
  return (
    <span
      className="jp-Flows-statusIcon"
      data-status={props.status}
      title={word}
      {...(props.isNamed ? { role: 'img', 'aria-label': word } : { 'aria-hidden': true })}
    >
      <Icon.react tag={null} />
    </span>
  );
}

/** Icon and word. */
export function StatusLabel(props: { execution: IExecutionView }): React.ReactElement {
  const { trans } = useShell();
  return (
    <span className="jp-Flows-status" data-status={props.execution.status}>
      <StatusIcon status={props.execution.status} />
      <span className="jp-Flows-statusWord">{statusText(props.execution, trans)}</span>
    </span>
  );
}

/** "5 min. ago", exact in the tooltip. */
export function RelativeTime(props: { instant: string; now: number }): React.ReactElement {
  const { locale } = useShell();
  return (
    <time className="jp-Flows-time" dateTime={props.instant} title={exactTime(props.instant, locale)}>
      {relativeTime(props.instant, props.now, locale)}
    </time>
  );
}
