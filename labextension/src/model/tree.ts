/** The rows of the tree of executions, and how the keyboard moves in it: pure functions. */
import type { IExecutionView } from '../api';
import type { ExecutionStore } from './store';

export interface ITreeRow {
  readonly execution: IExecutionView;
  /** From 1. */
  readonly level: number;
  readonly isExpandable: boolean;
  readonly isExpanded: boolean;
  /** From 1, among `size` siblings. */
  readonly position: number;
  readonly size: number;
}

export interface ITreeOptions {
  /** Ids of the roots in the order they are shown. */
  roots: string[];
  expanded: ReadonlySet<string>;
}

/** The rows from top to bottom: children below their parent, if that is expanded. */
export function treeRows(store: ExecutionStore, options: ITreeOptions): ITreeRow[] {
  const rows: ITreeRow[] = [];
  const add = (executions: IExecutionView[], level: number): void => {
    executions.forEach((execution, index) => {
      const isExpandable = execution.children > 0 || store.countChildren(execution.id) > 0;
      const isExpanded = isExpandable && options.expanded.has(execution.id);
      rows.push({ execution, level, isExpandable, isExpanded, position: index + 1, size: executions.length });
      if (isExpanded) {
        add(store.childrenOf(execution.id), level + 1);
      }
    });
  };
  add(
    options.roots.map(id => store.get(id)).filter(root => root !== undefined),
    1
  );
  return rows;
}

/** The rows that match `matches`, below those of their ancestors that are known; all of them expanded. */
export function filteredRows(
  store: ExecutionStore,
  matches: (execution: IExecutionView) => boolean
): ITreeRow[] {
  const kept = new Set<string>();
  for (const execution of store.values()) {
    if (matches(execution)) {
      let next: IExecutionView | undefined = execution;
      while (next && !kept.has(next.id)) {
        kept.add(next.id);
        next = next.parent_id === null ? undefined : store.get(next.parent_id);
      }
    }
  }
  const rows: ITreeRow[] = [];
  const add = (executions: IExecutionView[], level: number): void => {
    executions.forEach((execution, index) => {
      const children = store.childrenOf(execution.id).filter(child => kept.has(child.id));
      const isExpandable = children.length > 0;
      const position = index + 1;
      rows.push({
        execution,
        level,
        isExpandable,
        isExpanded: isExpandable,
        position,
        size: executions.length
      });
      add(children, level + 1);
    });
  };
  const tops = [...kept]
    .map(id => store.get(id))
    .filter(execution => execution !== undefined)
    .filter(execution => execution.parent_id === null || !kept.has(execution.parent_id))
    .sort((one, other) => Date.parse(other.created_at) - Date.parse(one.created_at));
  add(tops, 1);
  return rows;
}

export type TreeMove = { focus: string } | { expand: string } | { collapse: string };

/** What a key does while the row of `current` has the focus; null: nothing of the tree's. */
export function treeMove(rows: readonly ITreeRow[], current: string | null, key: string): TreeMove | null {
  if (rows.length === 0) {
    return null;
  }
  const at = rows.findIndex(row => row.execution.id === current);
  const focus = (index: number): TreeMove => ({
    focus: rows[Math.max(0, Math.min(rows.length - 1, index))].execution.id
  });
  const row = at < 0 ? null : rows[at];
  switch (key) {
    case 'ArrowDown':
      return focus(at + 1);
    case 'ArrowUp':
      return focus(at < 0 ? 0 : at - 1);
    case 'PageDown':
      return focus(at + 10);
    case 'PageUp':
      return focus(at - 10);
    case 'Home':
      return focus(0);
    case 'End':
      return focus(rows.length - 1);
    case 'ArrowRight':
      if (!row?.isExpandable) {
        return null;
      }
      return row.isExpanded ? focus(at + 1) : { expand: row.execution.id };
    case 'ArrowLeft':
      return row === null ? null : leave(rows, at);
    default:
      return null;
  }
}

function leave(rows: readonly ITreeRow[], at: number): TreeMove | null {
  const row = rows[at];
  if (row.isExpanded) {
    return { collapse: row.execution.id };
  }
  for (let above = at - 1; above >= 0; above--) {
    if (rows[above].level < row.level) {
      return { focus: rows[above].execution.id };
    }
  }
  return null;
}
