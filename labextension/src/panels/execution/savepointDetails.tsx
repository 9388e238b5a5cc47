import * as React from 'react';

import type { IMissing, ISavepointView, IVariableView } from '../../api';
import { size } from '../../format';
import type { ExecutionModel } from '../../model/execution';
import { partVariables } from '../../model/variables';
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
    model.loadVariables(savepoint.id).catch(() => undefined); // the model keeps what went wrong
  }, [model, savepoint.id]);
  return (
    <>
      {savepoint.missing.length > 0 && <MissingList missing={savepoint.missing} />}
      <Fetched fetched={model.variables(savepoint.id)}>
        {variables =>
          variables.length === 0 ? (
            <div>{trans.__('No variables.')}</div>
          ) : (
            <VariableTable variables={variables} />
          )
        }
      </Fetched>
    </>
  );
}

function VariableTable(props: { variables: IVariableView[] }): React.ReactElement {
  const { trans, locale } = useShell();
  const [showsAll, setShowsAll] = React.useState(false);
  const { data, code } = partVariables(props.variables);
  const shown = showsAll || data.length === 0 ? [...data, ...code] : data;
  const scopes = new Set(shown.map(variable => variable.scope));
  const hidden = props.variables.length - shown.length;
  return (
    <>
      <table className="jp-Flows-variables" aria-label={trans.__('Variables')}>
        <thead>
          <tr>
            {scopes.size > 1 && <th scope="col">{trans.__('Scope')}</th>}
            <th scope="col">{trans.__('Name')}</th>
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
          {shown.map(variable => (
            <tr key={`${variable.scope}/${variable.name}`} data-variable={variable.name}>
              {scopes.size > 1 && <td>{variable.scope}</td>}
              <td>
                <code>{variable.name}</code>
              </td>
              <td>{variable.type}</td>
              <td>{variable.shape?.join(' × ')}</td>
              <td className="jp-Flows-number">{size(variable.bytes, locale)}</td>
              <td className="jp-Flows-ellipsis" title={variable.missing ?? variable.text}>
                {variable.missing === null ? <code>{variable.text}</code> : variable.missing}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {hidden > 0 && (
        <button type="button" className="jp-Flows-link" onClick={() => setShowsAll(true)}>
          {trans._n('Show %1 module, function or class', 'Show %1 modules, functions and classes', hidden)}
        </button>
      )}
    </>
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
