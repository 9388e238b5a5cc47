import type { IVariableChange, IVariableView } from '../api';

const CODE = new Set(['module', 'type', 'function', 'builtin_function_or_method', 'ABCMeta', 'method']);

/** A variable as a savepoint's table shows it; `change`: what became of it since the savepoint before. */
export interface IVariableRow {
  view: IVariableView;
  change: IVariableChange | null;
}

/** Parts the variables a flow computes with from modules, functions, classes and Python's own names. */
export function partVariables(rows: readonly IVariableRow[]): {
  data: IVariableRow[];
  code: IVariableRow[];
} {
  const isCode = ({ view: { name, type, missing } }: IVariableRow): boolean =>
    missing === null && (CODE.has(type) || /^__\w+__$/.test(name));
  return { data: rows.filter(row => !isCode(row)), code: rows.filter(isCode) };
}

/** The variables in their order, each with its change, and those that are gone behind them. */
export function withChanges(
  variables: readonly IVariableView[],
  changes: readonly IVariableChange[]
): IVariableRow[] {
  const key = ({ scope, name }: { scope: string; name: string }): string => `${scope}/${name}`;
  const known = new Map(changes.map(change => [key(change), change]));
  const rows = variables.map(view => ({ view, change: known.get(key(view)) ?? null }));
  const gone = changes.flatMap(change =>
    change.kind === 'removed' && change.before !== null ? [{ view: change.before, change }] : []
  );
  return [...rows, ...gone];
}
