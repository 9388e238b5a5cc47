import * as React from 'react';

import type { IFetched } from '../../model/fetching';
import { CommandIDs } from '../../tokens';
import { Failure, FailureBar, Loading } from '../empty';
import { useShell } from '../shell';

/** Shows what was fetched; until then, or instead, why not. */
export function Fetched<T>(props: {
  fetched: IFetched<T>;
  children: (value: T) => React.ReactNode;
}): React.ReactElement {
  const { value, error } = props.fetched;
  const { commands } = useShell();
  if (value === null) {
    const retry = (): void => void commands.execute(CommandIDs.refresh);
    return error ? <Failure error={error} retry={retry} /> : <Loading />;
  }
  return (
    <>
      {error && <FailureBar error={error} />}
      {props.children(value)}
    </>
  );
}

const PAGE = 200;

/** The first rows of a long list, and a way to more of them. */
export function usePages(count: number): { shown: number; more: (() => void) | null } {
  const [shown, setShown] = React.useState(PAGE);
  return { shown, more: count > shown ? () => setShown(before => before + PAGE) : null };
}

export function ShowMore(props: { more: (() => void) | null }): React.ReactElement | null {
  const { trans } = useShell();
  return props.more === null ? null : (
    <button
      type="button"
      className="jp-Button jp-mod-styled jp-mod-minimal jp-Flows-button"
      onClick={props.more}
    >
      {trans.__('Show More')}
    </button>
  );
}
