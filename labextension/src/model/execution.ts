import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type {
  ApiError,
  IChange,
  IExecutionView,
  IFlowsApi,
  ILogLine,
  ISavepointView,
  IVariableChange,
  IVariableView,
  Json
} from '../api';
import type { IFetched } from './fetching';
import { Coalesced, NOT_FETCHED } from './fetching';
import type { ILiveView } from './live';
import { ExecutionStore } from './store';

export const TABS = ['children', 'savepoints', 'log', 'values', 'notebook'] as const;

export type Tab = (typeof TABS)[number];

/** One execution with what belongs to it; what a tab shows is fetched when that tab is. */
export class ExecutionModel implements ILiveView {
  readonly isPushed = true;

  /**
   * `tab`: the one to begin with; null: children if there are some, else savepoints. `store`: the executions that
   * other panels know too.
   */
  constructor(
    private readonly _api: IFlowsApi,
    readonly id: string,
    private _tab: Tab | null = null,
    private readonly _store = new ExecutionStore()
  ) {}

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get execution(): IFetched<IExecutionView> {
    return { value: this._store.get(this.id) ?? null, error: this._error };
  }

  get children(): IFetched<IExecutionView[]> {
    const value = this._childrenAreLoaded ? this._store.childrenOf(this.id) : null;
    return { value, error: this._childrenError };
  }

  /** Newest first. */
  get savepoints(): IFetched<ISavepointView[]> {
    return this._savepoints;
  }

  get log(): IFetched<ILogLine[]> {
    return this._log;
  }

  get notebook(): IFetched<Record<string, Json>> {
    return this._notebook;
  }

  /** What was fetched of a savepoint's variables; `loadVariables` fetches them. */
  variables(savepointId: string): IFetched<IVariableView[]> {
    return this._variables.get(savepointId) ?? NOT_FETCHED;
  }

  /** A savepoint never changes, so its variables are fetched once. */
  async loadVariables(savepointId: string): Promise<void> {
    if (this.variables(savepointId).value === null) {
      this._variables.set(savepointId, await attempt(() => this._api.variables(savepointId), null));
      this._changed.emit();
    }
  }

  /** What changed since the savepoint before it; `loadDifference` fetches it. */
  difference(savepointId: string): IFetched<IVariableChange[]> {
    return this._differences.get(savepointId) ?? NOT_FETCHED;
  }

  /** Fetched once, as the variables are; the first savepoint has none before it. */
  async loadDifference({ id, parent_id }: ISavepointView): Promise<void> {
    if (parent_id !== null && this.difference(id).value === null) {
      this._differences.set(id, await attempt(() => this._api.difference(parent_id, id), null));
      this._changed.emit();
    }
  }

  get tab(): Tab {
    return this._tab ?? 'savepoints';
  }

  set tab(tab: Tab) {
    if (tab !== this._tab) {
      this._tab = tab;
      this._changed.emit();
      this._loadTab().catch(() => undefined);
    }
  }

  async refresh(): Promise<void> {
    const mark = this._store.mark();
    try {
      const execution = await this._api.execution(this.id);
      this._store.put([execution], mark);
      this._error = null;
      this._tab ??= execution.children > 0 ? 'children' : 'savepoints';
    } catch (error) {
      this._error = error as ApiError;
      if (this._error.type === 'ResourceNotFoundError') {
        return; // it will not come back: no use in asking again
      }
      throw error;
    } finally {
      this._changed.emit();
    }
    await this._loadTab();
  }

  apply(change: IChange): void {
    if (change.parent_id === this.id && change.kind === 'execution') {
      this._applyToChild(change);
    }
    if (change.execution_id !== this.id) {
      return;
    }
    if (change.kind === 'execution') {
      if (change.execution) {
        this.take(change.execution);
      } else {
        this._refetch.ask();
      }
    }
    const shownIn = { execution: 'notebook', savepoint: 'savepoints', log: 'log' }[change.kind];
    if (shownIn === this.tab || this.tab === 'notebook') {
      this._refetchTab.ask();
    }
    if (change.kind === 'savepoint' && this.tab !== 'savepoints') {
      this._refetch.ask(); // for the count that the tab shows
    }
  }

  /** Takes in what an action answered with. */
  take(execution: IExecutionView): void {
    this._store.change(execution);
    this._changed.emit();
  }

  private _applyToChild(change: IChange): void {
    if (change.execution) {
      this.take(change.execution);
    } else if (this.tab === 'children') {
      this._refetchTab.ask();
    } else {
      this._refetch.ask();
    }
  }

  private async _loadTab(): Promise<void> {
    const load = {
      children: () => this._loadChildren(),
      savepoints: () => this._loadSavepoints(),
      log: () => this._loadLog(),
      values: () => Promise.resolve(),
      notebook: () => this._loadNotebook()
    }[this.tab];
    await load();
    this._changed.emit();
  }

  private async _loadExecution(): Promise<void> {
    const mark = this._store.mark();
    this._store.put([await this._api.execution(this.id)], mark);
    this._changed.emit();
  }

  private async _loadChildren(): Promise<void> {
    const mark = this._store.mark();
    const found = await attempt(() => this._api.children(this.id), null);
    this._childrenError = found.error;
    if (found.value) {
      this._store.put(found.value, mark);
      this._childrenAreLoaded = true;
    }
  }

  private async _loadSavepoints(): Promise<void> {
    const found = await attempt(() => this._api.savepoints(this.id), this._savepoints.value);
    const value = found.value && [...found.value].sort((one, other) => other.number - one.number);
    this._savepoints = { ...found, value };
  }

  // Only what is new; a second request that was under way meanwhile adds nothing twice.
  private async _loadLog(): Promise<void> {
    const known = this._log.value ?? [];
    const found = await attempt(() => this._api.log(this.id, lastNumber(known)), null);
    const lines = this._log.value ?? [];
    const last = lastNumber(lines);
    const added = (found.value ?? []).filter(line => line.number > last);
    this._log = { value: found.error && !this._log.value ? null : [...lines, ...added], error: found.error };
    // The server hands out a long log in pieces.
    if (added.length > 0 && found.value && found.value.length >= 1000) {
      await this._loadLog();
    }
  }

  private async _loadNotebook(): Promise<void> {
    this._notebook = await attempt(() => this._api.notebook(this.id), this._notebook.value);
  }

  private _changed = new Signal<this, void>(this);
  private _childrenAreLoaded = false;
  private _childrenError: ApiError | null = null;
  private _error: ApiError | null = null;
  private _log: IFetched<ILogLine[]> = NOT_FETCHED;
  private _notebook: IFetched<Record<string, Json>> = NOT_FETCHED;
  private _refetch = new Coalesced(() => this._loadExecution());
  private _refetchTab = new Coalesced(() => this._loadTab());
  private _savepoints: IFetched<ISavepointView[]> = NOT_FETCHED;
  private _variables = new Map<string, IFetched<IVariableView[]>>();
  private _differences = new Map<string, IFetched<IVariableChange[]>>();
}

async function attempt<T>(fetch: () => Promise<T>, before: T | null): Promise<IFetched<T>> {
  try {
    return { value: await fetch(), error: null };
  } catch (error) {
    return { value: before, error: error as ApiError };
  }
}

function lastNumber(lines: readonly ILogLine[]): number {
  return lines.length > 0 ? lines[lines.length - 1].number : 0;
}
