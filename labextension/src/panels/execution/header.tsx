import { pauseIcon, refreshIcon, runIcon, stopIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { IErrorInfo, IExecutionView } from '../../api';
import { canArchive, canPause, canRunAgain, isFinal } from '../../api';
import { duration, exactTime, shortTime, typeWord } from '../../format';
import { archiveIcon, parentIcon } from '../../icons';
import { CommandIDs } from '../../tokens';
import { ActionButton } from '../buttons';
import { useNow, useShell } from '../shell';
import { StatusLabel } from '../status';

/** What an execution is, how it stands, and what can be done with the whole of it. */
export function Header(props: { execution: IExecutionView }): React.ReactElement {
  const { execution } = props;
  const { trans, commands } = useShell();
  const parentId = execution.parent_id;
  return (
    <header className="jp-Flows-header">
      <div className="jp-Flows-headerLine">
        <h1 className="jp-Flows-title" title={execution.name}>
          {execution.name}
        </h1>
        <div className="jp-Flows-actions">
          {parentId !== null && (
            <ActionButton
              icon={parentIcon}
              label={trans.__('Parent')}
              caption={trans.__('Open the execution that started this one')}
              className="jp-Flows-parent"
              run={() => void commands.execute(CommandIDs.openExecution, { id: parentId })}
            />
          )}
          {canPause(execution) && (
            <ActionButton
              icon={pauseIcon}
              label={trans.__('Pause')}
              caption={trans.__('Let it rest from its next call of the flow API on')}
              className="jp-Flows-pause"
              run={() => void commands.execute(CommandIDs.pause, { id: execution.id })}
            />
          )}
          {execution.status === 'PAUSED' && (
            <ActionButton
              icon={runIcon}
              label={trans.__('Resume')}
              caption={trans.__('Let it go on')}
              className="jp-Flows-resume"
              run={() => void commands.execute(CommandIDs.resume, { id: execution.id })}
            />
          )}
          {canRunAgain(execution) && (
            <ActionButton
              icon={refreshIcon}
              label={trans.__('Run again')}
              caption={trans.__('Start a new execution of the flow with the same inputs')}
              className="jp-Flows-again"
              run={() => void commands.execute(CommandIDs.again, { id: execution.id })}
            />
          )}
          {canArchive(execution) && (
            <ActionButton
              icon={archiveIcon}
              label={trans.__('Archive')}
              caption={trans.__('Delete its savepoints; all else stays')}
              className="jp-Flows-archive"
              run={() => void commands.execute(CommandIDs.archive, { id: execution.id })}
            />
          )}
          {!isFinal(execution.status) && (
            <ActionButton
              icon={stopIcon}
              label={trans.__('Cancel')}
              caption={trans.__('Cancel this execution')}
              className="jp-Flows-cancel"
              whyDisabled={execution.wish === 'CANCEL' ? trans.__('It was asked to cancel already.') : null}
              run={() => void commands.execute(CommandIDs.cancel, { id: execution.id })}
            />
          )}
        </div>
      </div>
      <div className="jp-Flows-headerLine jp-Flows-facts">
        <span aria-live="polite">
          <StatusLabel execution={execution} />
        </span>
        <Facts execution={execution} />
      </div>
      {execution.message !== null && !repeatsError(execution) && (
        <p className="jp-Flows-headerMessage">{execution.message}</p>
      )}
      {execution.error && <ErrorBox error={execution.error} />}
    </header>
  );
}

// A flow that failed has its error as message too, unless it said something else.
function repeatsError({ message, error }: IExecutionView): boolean {
  return error !== null && (message === error.message || message === `${error.type}: ${error.message}`);
}

function Facts(props: { execution: IExecutionView }): React.ReactElement {
  const { execution } = props;
  const { trans, commands } = useShell();
  const { flow } = execution;
  return (
    <>
      <Fact label={typeWord(execution, trans)}>
        {flow !== null && execution.type !== 'CONNECTION' ? (
          <button
            type="button"
            className="jp-Flows-link"
            title={trans.__('Open its source')}
            onClick={() => void commands.execute(CommandIDs.openFlow, { flow })}
          >
            {flow}
          </button>
        ) : (
          flow
        )}
      </Fact>
      <Times execution={execution} />
      {execution.attempts > 0 && <Fact label={trans.__('Kernels lost')}>{execution.attempts}</Fact>}
    </>
  );
}

function Times(props: { execution: IExecutionView }): React.ReactElement {
  const { created_at: created, started_at: started, ended_at: ended } = props.execution;
  const { trans, locale } = useShell();
  const now = useNow(1000);
  const at = (instant: string): React.ReactElement => (
    <time dateTime={instant} title={exactTime(instant, locale)}>
      {shortTime(instant, now, locale)}
    </time>
  );
  return (
    <>
      <Fact label={trans.__('Created')}>{at(created)}</Fact>
      {started !== null && <Fact label={trans.__('Started')}>{at(started)}</Fact>}
      {ended !== null && <Fact label={trans.__('Ended')}>{at(ended)}</Fact>}
      {started !== null && (
        <Fact label={ended === null ? trans.__('For') : trans.__('Took')}>
          {duration(
            ended === null ? whole(now - Date.parse(started)) : Date.parse(ended) - Date.parse(started),
            locale
          )}
        </Fact>
      )}
    </>
  );
}

// A clock that runs shows whole seconds.
function whole(milliseconds: number): number {
  return Math.max(1000, Math.floor(milliseconds / 1000) * 1000);
}

function Fact(props: { label: string; children: React.ReactNode }): React.ReactElement {
  return (
    <span className="jp-Flows-fact">
      <span className="jp-Flows-factLabel">{props.label}</span> {props.children}
    </span>
  );
}

function ErrorBox(props: { error: IErrorInfo }): React.ReactElement {
  const { error } = props;
  const { trans } = useShell();
  return (
    <div className="jp-Flows-error">
      <strong>{error.type}</strong>
      <span className="jp-Flows-errorMessage">{error.message}</span>
      {error.traceback && (
        <details>
          <summary>{trans.__('Traceback')}</summary>
          <pre>{error.traceback}</pre>
        </details>
      )}
    </div>
  );
}
