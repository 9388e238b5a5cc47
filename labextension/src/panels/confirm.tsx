/** The questions asked before something is put back or ended. Cancel has the focus first. */
import { Dialog, showDialog } from '@jupyterlab/apputils';
import * as React from 'react';

import type { Code, IExecutionView, ISavepointView } from '../api';
import { isFinal } from '../api';
import { exactTime, placeOf, savepointTitle, statusText } from '../format';
import type { IShell } from './shell';

export interface IAnswer {
  isAccepted: boolean;
  /** Not to be asked again. */
  isLast: boolean;
}

/** `notebook`: the path of the open notebook that would be put back. */
export async function confirmRestore(
  shell: IShell,
  execution: IExecutionView,
  savepoint: ISavepointView,
  notebook: string | null,
  code: Code = 'saved'
): Promise<IAnswer> {
  const { trans } = shell;
  return ask({
    title:
      code === 'current'
        ? trans.__('Restore this savepoint with the current code?')
        : trans.__('Restore this savepoint?'),
    body: (
      <>
        <SavepointFacts shell={shell} execution={execution} savepoint={savepoint} />
        <ul>
          {[
            ...restoreEffects(shell, execution, savepoint, notebook),
            ...(code === 'current' ? codeEffects(shell) : [])
          ].map(effect => (
            <li key={effect}>{effect}</li>
          ))}
        </ul>
      </>
    ),
    cancel: trans.__('Cancel'),
    accept: trans.__('Restore'),
    again: trans.__('Do not ask again')
  });
}

export async function confirmCancel(shell: IShell, execution: IExecutionView): Promise<boolean> {
  const { trans } = shell;
  const answer = await ask({
    title: trans.__('Cancel this execution?'),
    body: (
      <>
        <p>{trans.__('“%1” (%2)', execution.name, statusText(execution, trans))}</p>
        <ul>
          <li>{trans.__('It ends at its next call of the flow API; its finally blocks still run.')}</li>
          <li>{trans.__('Its children are cancelled too.')}</li>
          <li>{trans.__('Its savepoints stay, so it can be restored.')}</li>
        </ul>
      </>
    ),
    cancel: trans.__('Keep Running'),
    accept: trans.__('Cancel Execution'),
    again: null
  });
  return answer.isAccepted;
}

export async function confirmArchive(shell: IShell, execution: IExecutionView): Promise<boolean> {
  const { trans } = shell;
  const answer = await ask({
    title: trans.__('Archive this execution?'),
    body: (
      <>
        <p>{trans.__('“%1” (%2)', execution.name, statusText(execution, trans))}</p>
        <ul>
          <li>
            {trans._n(
              'Its savepoint is deleted: it cannot be restored any more.',
              'Its %1 savepoints are deleted: it cannot be restored any more.',
              execution.savepoints
            )}
          </li>
          <li>{trans.__('Its inputs, outputs, log and notebook stay.')}</li>
        </ul>
      </>
    ),
    cancel: trans.__('Keep Savepoints'),
    accept: trans.__('Archive'),
    again: null
  });
  return answer.isAccepted;
}

function restoreEffects(
  { trans }: IShell,
  execution: IExecutionView,
  savepoint: ISavepointView,
  notebook: string | null
): string[] {
  const later = execution.savepoints - savepoint.number;
  const effects =
    notebook === null
      ? [
          trans.__(
            '“%1” goes back to this state, with all its variables, and goes on from there.',
            execution.name
          )
        ]
      : [
          trans.__('The kernel of %1 goes back to this state, with all its variables.', notebook),
          trans.__('For that, a cell with “%flow restore” is added to the notebook and run.')
        ];
  if (notebook === null && !isFinal(execution.status)) {
    effects.push(trans.__('It has not ended: what it does now is stopped.'));
  }
  if (later > 0) {
    effects.push(
      trans._n(
        '%1 savepoint made later stays in the list.',
        '%1 savepoints made later stay in the list.',
        later
      )
    );
  }
  effects.push(trans.__('Children, settings, files and other systems stay as they are.'));
  if (savepoint.missing.length > 0) {
    effects.push(
      trans._n(
        '%1 value is not part of the savepoint; its use will say so.',
        '%1 values are not part of the savepoint; their use will say so.',
        savepoint.missing.length
      )
    );
  }
  return effects;
}

function codeEffects({ trans }: IShell): string[] {
  return [
    trans.__(
      'It goes on in the code as it is now. Changed functions, classes and imports hold at once; other statements before this place are not run again.'
    ),
    trans.__(
      'If the statement that it waits in is not there any more, it ends with an error that shows both texts, and this savepoint stays.'
    )
  ];
}

function SavepointFacts(props: {
  shell: IShell;
  execution: IExecutionView;
  savepoint: ISavepointView;
}): React.ReactElement {
  const { shell, execution, savepoint } = props;
  const { trans, locale } = shell;
  return (
    <dl className="jp-Flows-facts">
      <dt>{trans.__('Savepoint')}</dt>
      <dd>
        <strong>{savepointTitle(savepoint)}</strong>
      </dd>
      <dt>{trans.__('Created at')}</dt>
      <dd>{exactTime(savepoint.created_at, locale)}</dd>
      <dt>{trans.__('Execution')}</dt>
      <dd>{execution.name}</dd>
      <dt>{trans.__('Place')}</dt>
      <dd>
        {placeOf(savepoint, trans)} <code>{savepoint.last_command}</code>
      </dd>
    </dl>
  );
}

async function ask(options: {
  title: string;
  body: React.ReactElement;
  cancel: string;
  accept: string;
  again: string | null;
}): Promise<IAnswer> {
  const result = await showDialog({
    title: options.title,
    body: <div className="jp-Flows-confirm">{options.body}</div>,
    buttons: [Dialog.cancelButton({ label: options.cancel }), Dialog.warnButton({ label: options.accept })],
    defaultButton: 0,
    checkbox: options.again === null ? null : { label: options.again }
  });
  return { isAccepted: result.button.accept, isLast: result.isChecked === true };
}
