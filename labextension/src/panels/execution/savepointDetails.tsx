import * as React from 'react';

import type { IMissing, ISavepointView } from '../../api';
import { size } from '../../format';
import type { ExecutionModel } from '../../model/execution';
import type { IVariableRow } from '../../model/variables';
import { partVariables, withChanges } from '../../model/variables';
import { useShell } from '../shell';
import { Fetched } from './fetched';

/** What a savepoint holds, known without loading it, and what it could not keep. */
export function SavepointDetails(props: {
  model: ExecutionModel;
  savepoint: ISavepointView;
}): React.ReactElement {
  const { model, savepoint } = props;
  const { trans } = useShell();
  React.useEffect(() => {
    // The model keeps what went wrong.
    model.loadVariables(savepoint.id).catch(() => undefined);
    model.loadDifference(savepoint).catch(() => undefined);
  }, [model, savepoint]);
  const changes = model.difference(savepoint.id).value;
  return (
    <>
      {savepoint.missing.length > 0 && <MissingList missing={savepoint.missing} />}
      <Fetched fetched={model.variables(savepoint.id)}>
        {variables =>
          variables.length === 0 ? (
            <div>{trans.__('No variables.')}</div>
          ) : (
            <VariableTable rows={withChanges(variables, changes ?? [])} isCompared={changes !== null} />
          )
        }
      </Fetched>
    </>
  );
}

function VariableTable(props: { rows: IVariableRow[]; isCompared: boolean }): React.ReactElement {
  const { trans } = useShell();
  const [showsAll, setShowsAll] = React.useState(false);
  const [onlyChanged, setOnlyChanged] = React.useState(false);
  const listed = onlyChanged ? props.rows.filter(({ change }) => change !== null) : props.rows;
  const { data, code } = partVariables(listed);
  const shown = showsAll || data.length === 0 ? [...data, ...code] : data;
  const hasScopes = new Set(shown.map(({ view }) => view.scope)).size > 1;
  const hidden = listed.length - shown.length;
  return (
    <>
      {props.isCompared && (
        <label className="jp-Flows-onlyChanged">
          <input
            type="checkbox"
            checked={onlyChanged}
            onChange={event => setOnlyChanged(event.target.checked)}
          />
          {trans.__('Only what changed since the savepoint before')}
        </label>
      )}
      {shown.length === 0 && <div>{trans.__('Nothing changed.')}</div>}
      {shown.length > 0 && (
        <table className="jp-Flows-variables" aria-label={trans.__('Variables')}>
          <thead>
            <tr>
              {hasScopes && <th scope="col">{trans.__('Scope')}</th>}
              <th scope="col">{trans.__('Name')}</th>
              {props.isCompared && <th scope="col">{trans.__('Change')}</th>}
              <th scope="col">{trans.__('Type')}</th>
              <th scope="col">{trans.__('Shape')}</th>
              <th scope="col" className="jp-Flows-number">
                {trans.__('Size')}
              </th>
              <th scope="col" className="jp-Flows-wide">
                {trans.__('Value')}
              </th>
            </tr>
          </thead>
          <tbody>
            {shown.map(row => (
              <VariableRow
                key={`${row.view.scope}/${row.view.name}`}
                row={row}
                hasScopes={hasScopes}
                isCompared={props.isCompared}
              />
            ))}
          </tbody>
        </table>
      )}
      {hidden > 0 && (
        <button type="button" className="jp-Flows-link" onClick={() => setShowsAll(true)}>
          {trans._n('Show %1 module, function or class', 'Show %1 modules, functions and classes', hidden)}
        </button>
      )}
    </>
  );
}

function VariableRow(props: {
  row: IVariableRow;
  hasScopes: boolean;
  isCompared: boolean;
}): React.ReactElement {
  const { trans, locale } = useShell();
  const { view, change } = props.row;
  const kinds = {
    added: trans.__('Added'),
    removed: trans.__('Removed'),
    changed: trans.__('Changed')
  };
  return (
    <tr data-variable={view.name} data-change={change?.kind ?? ''}>
      {props.hasScopes && <td>{view.scope}</td>}
      <td>
        <code>{view.name}</code>
      </td>
      {props.isCompared && <td title={change?.detail}>{change && kinds[change.kind]}</td>}
      <td>{view.type}</td>
      <td>{view.shape?.join(' × ')}</td>
      <td className="jp-Flows-number">{size(view.bytes, locale)}</td>
      <td className="jp-Flows-ellipsis" title={change?.detail || (view.missing ?? view.text)}>
        {view.missing === null ? <code>{change?.detail || view.text}</code> : view.missing}
      </td>
    </tr>
  );
}

function MissingList(props: { missing: IMissing[] }): React.ReactElement {
  const { trans } = useShell();
  return (
    <div className="jp-Flows-missing">
      <div>{trans.__('Not part of the savepoint; after a restore each use of these says so:')}</div>
      <ul>
        {props.missing.map(missing => (
          <li key={missing.path}>
            <code>{missing.path}</code> ({missing.type}): {missing.reason}
          </li>
        ))}
      </ul>
    </div>
  );
}
