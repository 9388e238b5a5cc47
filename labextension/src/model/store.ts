import type { IExecutionView } from '../api';

/**
 * The executions known, one value each, whichever way they came.
 *
 * An answer to a request may be older than a change that was pushed while it was under way; `mark` before the
 * request and `put` with that mark keep the newer one.
 */
export class ExecutionStore {
  get(id: string): IExecutionView | undefined {
    return this._executions.get(id);
  }

  get size(): number {
    return this._executions.size;
  }

  values(): Iterable<IExecutionView> {
    return this._executions.values();
  }

  mark(): number {
    return this._changes;
  }

  /** Takes in fetched executions, unless a change told something newer since `mark`. */
  put(executions: IExecutionView[], mark: number): void {
    for (const execution of executions) {
      if ((this._changedAt.get(execution.id) ?? 0) <= mark) {
        this._set(execution);
      }
    }
  }

  /** Takes in an execution that was pushed, or that an action answered with. */
  change(execution: IExecutionView): void {
    this._changes += 1;
    this._changedAt.set(execution.id, this._changes);
    this._set(execution);
  }

  /** The known children of an execution in the order they were created. */
  childrenOf(id: string): IExecutionView[] {
    return [...(this._children.get(id) ?? [])]
      .map(child => this._executions.get(child))
      .filter(child => child !== undefined)
      .sort(byCreation);
  }

  /** How many children of an execution are known. */
  countChildren(id: string): number {
    return this._children.get(id)?.size ?? 0;
  }

  private _set(given: IExecutionView): void {
    const execution = this._completed(given);
    this._executions.set(execution.id, execution);
    if (execution.parent_id !== null) {
      const siblings = this._children.get(execution.parent_id) ?? new Set();
      siblings.add(execution.id);
      this._children.set(execution.parent_id, siblings);
    }
  }

  // What a list cut is taken from what is known, as long as the execution has done nothing since.
  private _completed(given: IExecutionView): IExecutionView {
    const known = this._executions.get(given.id);
    if (!given.is_short || !known || known.is_short) {
      return given;
    }
    const { status, savepoints, ended_at: end } = known;
    const isAsBefore = status === given.status && savepoints === given.savepoints && end === given.ended_at;
    const { input_value, output_value, error } = known;
    return isAsBefore ? { ...given, input_value, output_value, error, is_short: false } : given;
  }

  private _changedAt = new Map<string, number>();
  private _changes = 0;
  private _children = new Map<string, Set<string>>();
  private _executions = new Map<string, IExecutionView>();
}

/** Oldest first; ids part those of the same instant, so that the order never jumps. */
export function byCreation(one: IExecutionView, other: IExecutionView): number {
  return Date.parse(one.created_at) - Date.parse(other.created_at) || (one.id < other.id ? -1 : 1);
}
