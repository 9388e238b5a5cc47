import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { ILogLine } from '../../api';
import { exactTime, shortTime } from '../../format';
import type { ExecutionModel } from '../../model/execution';
import { EmptyState } from '../empty';
import { useNow, useShell } from '../shell';
import { Fetched } from './fetched';

const LEVELS = ['debug', 'info', 'warning', 'error'] as const;

type Level = (typeof LEVELS)[number];

const PAGE = 500;

/** The log, oldest first; it follows its end while that is in view. */
export function LogTab(props: { model: ExecutionModel }): React.ReactElement {
  const { trans } = useShell();
  return (
    <Fetched fetched={props.model.log}>
      {lines =>
        lines.length === 0 ? (
          <EmptyState title={trans.__('Nothing logged yet.')}>
            {trans.__('What the flow says with this.log(…) appears here.')}
          </EmptyState>
        ) : (
          <Lines lines={lines} />
        )
      }
    </Fetched>
  );
}

function Lines(props: { lines: ILogLine[] }): React.ReactElement {
  const { trans } = useShell();
  const [least, setLeast] = React.useState<Level>('debug');
  const [shown, setShown] = React.useState(PAGE);
  const lines = props.lines.filter(line => LEVELS.indexOf(line.level) >= LEVELS.indexOf(least));
  const now = useNow(60_000);
  const list = useFollowingScroll(lines.length);
  const hidden = Math.max(0, lines.length - shown);
  return (
    <div className="jp-Flows-log">
      <div className="jp-Flows-logBar">
        <label>
          {trans.__('Level')}{' '}
          <select
            className="jp-Flows-select"
            value={least}
            onChange={event => setLeast(event.target.value as Level)}
          >
            {LEVELS.map(level => (
              <option key={level} value={level}>
                {level === 'error'
                  ? levelWord(level, trans)
                  : trans.__('%1 and above', levelWord(level, trans))}
              </option>
            ))}
          </select>
        </label>
        {hidden > 0 && (
          <button type="button" className="jp-Flows-link" onClick={() => setShown(shown + PAGE)}>
            {trans._n('Show %1 older line', 'Show %1 older lines', Math.min(PAGE, hidden))}
          </button>
        )}
      </div>
      <div ref={list} className="jp-Flows-logLines" role="log" aria-label={trans.__('Log')} tabIndex={0}>
        {lines.length === 0 && <EmptyState title={trans.__('Nothing of this level.')} />}
        {lines.slice(hidden).map(line => (
          <Line key={line.number} line={line} now={now} />
        ))}
      </div>
    </div>
  );
}

function Line(props: { line: ILogLine; now: number }): React.ReactElement {
  const { line, now } = props;
  const { trans, locale } = useShell();
  const fields = Object.entries(line.fields);
  return (
    <div className="jp-Flows-logLine" data-level={line.level}>
      <time dateTime={line.at} title={exactTime(line.at, locale)}>
        {shortTime(line.at, now, locale)}
      </time>
      <span className="jp-Flows-level">{levelWord(line.level, trans)}</span>
      <span className="jp-Flows-logText">
        {line.text}
        {fields.map(([name, value]) => (
          <span key={name} className="jp-Flows-logField">
            {name}={typeof value === 'string' ? value : JSON.stringify(value)}
          </span>
        ))}
      </span>
    </div>
  );
}

function levelWord(level: Level, trans: TranslationBundle): string {
  switch (level) {
    case 'debug':
      return trans.__('Debug');
    case 'info':
      return trans.__('Info');
    case 'warning':
      return trans.__('Warning');
    case 'error':
      return trans.__('Error');
  }
}

// New lines scroll into view only if the last one was: who reads further up is left in peace.
function useFollowingScroll(count: number): React.RefObject<HTMLDivElement> {
  const list = React.useRef<HTMLDivElement>(null);
  const follows = React.useRef(true);
  React.useEffect(() => {
    const node = list.current;
    if (!node) {
      return;
    }
    const onScroll = (): void => {
      follows.current = node.scrollHeight - node.scrollTop - node.clientHeight < 24;
    };
    node.addEventListener('scroll', onScroll);
    return () => node.removeEventListener('scroll', onScroll);
  }, []);
  React.useLayoutEffect(() => {
    const node = list.current;
    if (node && follows.current) {
      node.scrollTop = node.scrollHeight;
    }
  }, [count]);
  return list;
}
