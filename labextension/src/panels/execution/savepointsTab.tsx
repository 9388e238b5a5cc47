import { caretDownIcon, caretRightIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { ISavepointView } from '../../api';
import { exactTime, placeOf, savepointTitle, shortTime, size } from '../../format';
import { forkIcon, restoreCodeIcon, restoreIcon, warningIcon } from '../../icons';
import type { ExecutionModel } from '../../model/execution';
import { CommandIDs } from '../../tokens';
import { ActionButton } from '../buttons';
import { EmptyState } from '../empty';
import { useNow, useShell } from '../shell';
import { Fetched, ShowMore, usePages } from './fetched';
import { SavepointDetails } from './savepointDetails';

/** The savepoints, newest first, each with the ways to go on from it. */
export function SavepointsTab(props: { model: ExecutionModel }): React.ReactElement {
  return (
    <Fetched fetched={props.model.savepoints}>
      {savepoints =>
        savepoints.length === 0 ? (
          <NoSavepoints model={props.model} />
        ) : (
          <SavepointTable model={props.model} savepoints={savepoints} />
        )
      }
    </Fetched>
  );
}

function SavepointTable(props: { model: ExecutionModel; savepoints: ISavepointView[] }): React.ReactElement {
  const { trans } = useShell();
  const { shown, more } = usePages(props.savepoints.length);
  const now = useNow(60_000);
  const hasMissing = props.savepoints.some(({ missing }) => missing.length > 0);
  return (
    <>
      <table className="jp-Flows-table" aria-label={trans.__('Savepoints')}>
        <thead>
          <tr>
            <th scope="col">{trans.__('Created at')}</th>
            <th scope="col">{trans.__('Action')}</th>
            <th scope="col" className="jp-Flows-wide">
              {trans.__('Last Command')}
            </th>
            <th scope="col">{trans.__('Line')}</th>
            <th scope="col">{trans.__('Name')}</th>
            <th scope="col" className="jp-Flows-number">
              {trans.__('Size')}
            </th>
            {hasMissing && <th scope="col">{trans.__('Not saved')}</th>}
            <th scope="col" className="jp-Flows-rowActions">
              <span className="jp-Flows-hidden">{trans.__('Go on from here')}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {props.savepoints.slice(0, shown).map(savepoint => (
            <SavepointRow
              key={savepoint.id}
              model={props.model}
              savepoint={savepoint}
              hasMissing={hasMissing}
              now={now}
            />
          ))}
        </tbody>
      </table>
      <ShowMore more={more} />
    </>
  );
}

function SavepointRow(props: {
  model: ExecutionModel;
  savepoint: ISavepointView;
  hasMissing: boolean;
  now: number;
}): React.ReactElement {
  const { savepoint } = props;
  const { trans, locale } = useShell();
  const [isOpen, setOpen] = React.useState(false);
  const toggle = (): void => setOpen(!isOpen);
  const Caret = isOpen ? caretDownIcon : caretRightIcon;
  return (
    <>
      <tr
        className="jp-Flows-tableRow"
        data-savepoint-id={savepoint.id}
        data-savepoint-name={savepoint.name ?? ''}
        data-execution-id={savepoint.execution_id}
        data-exact={savepoint.exact}
      >
        <td>
          <button
            type="button"
            className="jp-Flows-caret jp-Flows-details-toggle"
            aria-expanded={isOpen}
            aria-label={trans.__('Variables of %1', savepointTitle(savepoint))}
            title={isOpen ? trans.__('Hide the variables') : trans.__('Show the variables')}
            onClick={toggle}
          >
            <Caret.react tag={null} />
          </button>
          <time dateTime={savepoint.created_at} title={exactTime(savepoint.created_at, locale)}>
            {shortTime(savepoint.created_at, props.now, locale)}
          </time>
        </td>
        <td>{savepoint.action}</td>
        <td className="jp-Flows-ellipsis jp-Flows-code" title={savepoint.last_command}>
          {savepoint.last_command}
        </td>
        <td title={savepoint.function}>{placeOf(savepoint, trans)}</td>
        <td>{savepoint.name !== null && <span className="jp-Flows-savepointName">{savepoint.name}</span>}</td>
        <td
          className="jp-Flows-number"
          title={trans.__(
            '%1 in all, %2 of it new',
            size(savepoint.bytes_total, locale),
            size(savepoint.bytes_new, locale)
          )}
        >
          {size(savepoint.bytes_total, locale)}
        </td>
        {props.hasMissing && (
          <td>
            {savepoint.missing.length > 0 && (
              <button
                type="button"
                className="jp-Flows-link jp-Flows-notSaved"
                aria-expanded={isOpen}
                title={savepoint.missing.map(missing => `${missing.path}: ${missing.reason}`).join('\n')}
                onClick={toggle}
              >
                <warningIcon.react tag="span" className="jp-Flows-warning" />
                {trans._n('%1 value', '%1 values', savepoint.missing.length)}
              </button>
            )}
          </td>
        )}
        <td className="jp-Flows-rowActions">
          <RowActions savepoint={savepoint} />
        </td>
      </tr>
      {isOpen && (
        <tr className="jp-Flows-details">
          <td colSpan={props.hasMissing ? 8 : 7}>
            <SavepointDetails model={props.model} savepoint={savepoint} />
          </td>
        </tr>
      )}
    </>
  );
}

function RowActions(props: { savepoint: ISavepointView }): React.ReactElement {
  const { savepoint } = props;
  const { trans, commands } = useShell();
  const title = savepointTitle(savepoint);
  const whyDisabled = savepoint.exact
    ? null
    : trans.__(
        'Nothing can go on from here: %1',
        savepoint.inexact_reason ?? trans.__('the exact state could not be had.')
      );
  const args = { savepoint: savepoint.id };
  return (
    <div className="jp-Flows-actions">
      <ActionButton
        icon={restoreIcon}
        label={trans.__('Restore')}
        caption={trans.__('Put this execution back to “%1” and go on from there', title)}
        className="jp-Flows-restore"
        whyDisabled={whyDisabled}
        run={() => void commands.execute(CommandIDs.restore, args)}
      />
      <ActionButton
        icon={restoreCodeIcon}
        label={trans.__('Restore with Current Code')}
        caption={trans.__('Put this execution back to “%1” and go on in the code as it is now', title)}
        className="jp-Flows-restoreCode"
        isIconOnly
        whyDisabled={whyDisabled}
        run={() => void commands.execute(CommandIDs.restoreCurrent, args)}
      />
      <ActionButton
        icon={forkIcon}
        label={trans.__('Fork')}
        caption={trans.__('Restore “%1” into a copy: a new execution; this one stays as it is', title)}
        className="jp-Flows-fork"
        isIconOnly
        whyDisabled={whyDisabled}
        run={() => void commands.execute(CommandIDs.fork, args)}
      />
    </div>
  );
}

function NoSavepoints(props: { model: ExecutionModel }): React.ReactElement {
  const { trans } = useShell();
  return props.model.execution.value?.archived_at ? (
    <EmptyState title={trans.__('The savepoints were deleted.')}>
      {trans.__('The execution was archived; its inputs, outputs, log and notebook stay.')}
    </EmptyState>
  ) : (
    <EmptyState title={trans.__('No savepoints yet.')}>
      {trans.__('Each call of the flow API makes one; this.create_savepoint(name) makes one with a name.')}
    </EmptyState>
  );
}
