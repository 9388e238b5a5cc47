import * as React from 'react';

import type { IExecutionView, Json } from '../../api';
import { EmptyState } from '../empty';
import { useShell } from '../shell';

/** Inputs and outputs: JSON as it is, everything else by its type and a short text. */
export function ValuesTab(props: { execution: IExecutionView }): React.ReactElement {
  const { trans } = useShell();
  const { input_value: inputs, output_value: outputs } = props.execution;
  return (
    <>
      <Values title={trans.__('Inputs')} values={inputs} whenEmpty={trans.__('No inputs.')} />
      <Values title={trans.__('Outputs')} values={outputs} whenEmpty={trans.__('No outputs yet.')} />
    </>
  );
}

function Values(props: {
  title: string;
  values: Record<string, Json>;
  whenEmpty: string;
}): React.ReactElement {
  const entries = Object.entries(props.values);
  const id = React.useId();
  return (
    <section className="jp-Flows-values" aria-labelledby={id}>
      <h2 id={id}>{props.title}</h2>
      {entries.length === 0 ? (
        <EmptyState title={props.whenEmpty} />
      ) : (
        <table className="jp-Flows-table">
          <tbody>
            {entries.map(([key, value]) => (
              <tr key={key} className="jp-Flows-value" data-key={key}>
                <th scope="row">{key}</th>
                <td>
                  <Value value={value} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function Value(props: { value: Json }): React.ReactElement {
  const described = asDescription(props.value);
  return described ? (
    <>
      <span className="jp-Flows-valueType">{described.type}</span>
      <LongText text={described.text} />
    </>
  ) : (
    <LongText text={JSON.stringify(props.value, null, 2)} />
  );
}

// A table of a million rows as JSON would stop the page; its beginning tells what it is.
const LONGEST = 20_000;

function LongText(props: { text: string }): React.ReactElement {
  const { trans } = useShell();
  const [isWhole, setWhole] = React.useState(false);
  const isCut = !isWhole && props.text.length > LONGEST;
  return (
    <>
      <pre className="jp-Flows-json">{isCut ? `${props.text.slice(0, LONGEST)}…` : props.text}</pre>
      {isCut && (
        <button type="button" className="jp-Flows-link" onClick={() => setWhole(true)}>
          {trans.__('Show all %1 characters', props.text.length)}
        </button>
      )}
    </>
  );
}

// What is not JSON is sent as exactly these two texts.
function asDescription(value: Json): { type: string; text: string } | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return null;
  }
  const { type, text } = value;
  const isDescription =
    Object.keys(value).length === 2 && typeof type === 'string' && typeof text === 'string';
  return isDescription ? { type, text } : null;
}
