import * as React from 'react';

import type { IExecutionView } from '../../api';
import { messageOf, typeWord } from '../../format';
import type { ExecutionModel } from '../../model/execution';
import { CommandIDs } from '../../tokens';
import { EmptyState } from '../empty';
import { useNow, useShell } from '../shell';
import { RelativeTime, StatusLabel } from '../status';
import { Fetched, ShowMore, usePages } from './fetched';

/** The executions that this one started. */
export function ChildrenTab(props: { model: ExecutionModel }): React.ReactElement {
  const { trans } = useShell();
  return (
    <Fetched fetched={props.model.children}>
      {children =>
        children.length === 0 ? (
          <EmptyState title={trans.__('No children.')}>
            {trans.__('What this execution starts with this.flow(…) or this.connect(…) appears here.')}
          </EmptyState>
        ) : (
          <ChildTable children={children} />
        )
      }
    </Fetched>
  );
}

function ChildTable(props: { children: IExecutionView[] }): React.ReactElement {
  const { trans, commands } = useShell();
  const now = useNow(5000);
  const { shown, more } = usePages(props.children.length);
  const open = (id: string): void => void commands.execute(CommandIDs.openExecution, { id });
  return (
    <>
      <table className="jp-Flows-table" aria-label={trans.__('Children')}>
        <thead>
          <tr>
            <th scope="col">{trans.__('Status')}</th>
            <th scope="col">{trans.__('Name')}</th>
            <th scope="col">{trans.__('Type')}</th>
            <th scope="col" className="jp-Flows-wide">
              {trans.__('Message')}
            </th>
            <th scope="col">{trans.__('Created')}</th>
          </tr>
        </thead>
        <tbody>
          {props.children.slice(0, shown).map(child => (
            <tr
              key={child.id}
              className="jp-Flows-tableRow"
              data-execution-id={child.id}
              data-status={child.status}
              data-name={child.name}
              onDoubleClick={() => open(child.id)}
            >
              <td>
                <StatusLabel execution={child} />
              </td>
              <td>
                <button type="button" className="jp-Flows-link" onClick={() => open(child.id)}>
                  {child.name}
                </button>
              </td>
              <td>{typeWord(child, trans)}</td>
              <td className="jp-Flows-ellipsis" title={messageOf(child)}>
                {messageOf(child)}
              </td>
              <td>
                <RelativeTime instant={child.created_at} now={now} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <ShowMore more={more} />
    </>
  );
}
