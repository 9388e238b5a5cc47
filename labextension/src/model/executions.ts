import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { ApiError, IChange, IExecutionView, IFlowsApi } from '../api';
import { Coalesced } from './fetching';
import type { ILiveView } from './live';
import { byCreation, ExecutionStore } from './store';
import type { ITreeRow } from './tree';
import { filteredRows, treeRows } from './tree';

const PAGE = 50;
// More than this is not fetched anew at once; what lies further down comes with "load more".
const LARGEST_REFRESH = 500;

/** The tree of executions: newest first, children below their parents, some pages of it loaded. */
export class ExecutionsModel implements ILiveView {
  readonly isPushed = true;

  constructor(
    private readonly _api: IFlowsApi,
    readonly store = new ExecutionStore()
  ) {}

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** False until the first answer, be it an error. */
  get isLoaded(): boolean {
    return this._isLoaded;
  }

  get error(): ApiError | null {
    return this._error;
  }

  get hasMore(): boolean {
    return this._next !== null && !this._filter;
  }

  get isLoadingMore(): boolean {
    return this._isLoadingMore;
  }

  get rootCount(): number {
    return this._roots.length;
  }

  get filter(): string {
    return this._filter;
  }

  /** Filters by words in name, flow, status, message and id; the server is asked for those not loaded. */
  set filter(text: string) {
    this._filter = text;
    this._changed.emit();
    if (text.trim()) {
      this._search.ask();
    }
  }

  get rows(): ITreeRow[] {
    const words = this._filter.toLowerCase().split(/\s+/).filter(Boolean);
    return words.length > 0
      ? filteredRows(this.store, execution => matches(execution, words))
      : treeRows(this.store, { roots: this._roots, expanded: this._expanded });
  }

  expand(id: string): void {
    this._expanded.add(id);
    this._changed.emit();
    this._loadChildren(id).catch(() => undefined);
  }

  collapse(id: string): void {
    this._expanded.delete(id);
    this._changed.emit();
  }

  collapseAll(): void {
    this._expanded.clear();
    this._changed.emit();
  }

  async refresh(): Promise<void> {
    const mark = this.store.mark();
    const limit = Math.max(PAGE, Math.min(this._roots.length, LARGEST_REFRESH));
    try {
      const page = await this._api.executions({ roots: true, limit });
      this.store.put(page.executions, mark);
      this._roots = page.executions.map(root => root.id);
      this._next = page.next;
      this._error = null;
      await Promise.all([...this._expanded].map(id => this._loadChildren(id)));
    } catch (error) {
      this._error = error as ApiError;
      throw error;
    } finally {
      this._isLoaded = true;
      this._changed.emit();
    }
  }

  async loadMore(): Promise<void> {
    if (this._next === null || this._isLoadingMore) {
      return;
    }
    this._isLoadingMore = true;
    this._changed.emit();
    const mark = this.store.mark();
    try {
      const page = await this._api.executions({ roots: true, limit: PAGE, cursor: this._next });
      this.store.put(page.executions, mark);
      const known = new Set(this._roots);
      this._roots.push(...page.executions.map(root => root.id).filter(id => !known.has(id)));
      this._next = page.next;
    } catch (error) {
      this._error = error as ApiError;
    } finally {
      this._isLoadingMore = false;
      this._changed.emit();
    }
  }

  apply(change: IChange): void {
    if (change.kind !== 'execution') {
      return;
    }
    if (change.execution) {
      this.take(change.execution);
    } else {
      this._unknown.add(change.execution_id);
      this._fetchUnknown.ask();
    }
  }

  /** Takes in an execution that was pushed, or that an action answered with. */
  take(execution: IExecutionView): void {
    this.store.change(execution);
    const parent = execution.parent_id === null ? undefined : this.store.get(execution.parent_id);
    const children = parent ? this.store.countChildren(parent.id) : 0;
    if (parent && parent.children < children) {
      this.store.change({ ...parent, children });
    }
    const isRoot = execution.parent_id === null;
    if (isRoot && !this._roots.includes(execution.id) && this._isInLoadedPart(execution)) {
      this._roots = newestFirst([execution.id, ...this._roots], this.store);
    }
    this._changed.emit();
  }

  private async _loadChildren(id: string): Promise<void> {
    const mark = this.store.mark();
    this.store.put(await this._api.children(id), mark);
    this._changed.emit();
  }

  // An old root that changes while its page is not loaded stays out until it is: else the pages had a gap.
  private _isInLoadedPart(root: IExecutionView): boolean {
    const last = this.store.get(this._roots[this._roots.length - 1] ?? '');
    return this._next === null || !last || Date.parse(root.created_at) >= Date.parse(last.created_at);
  }

  private async _takeUnknown(): Promise<void> {
    const ids = [...this._unknown];
    this._unknown.clear();
    const found = await Promise.allSettled(ids.map(id => this._api.execution(id)));
    found.forEach(result => {
      if (result.status === 'fulfilled') {
        this.take(result.value);
      }
    });
  }

  private async _searchServer(): Promise<void> {
    const text = this._filter.trim();
    if (text) {
      const mark = this.store.mark();
      this.store.put((await this._api.executions({ text, limit: 200 })).executions, mark);
      this._changed.emit();
    }
  }

  private _changed = new Signal<this, void>(this);
  private _error: ApiError | null = null;
  private _expanded = new Set<string>();
  private _fetchUnknown = new Coalesced(() => this._takeUnknown());
  private _filter = '';
  private _isLoaded = false;
  private _isLoadingMore = false;
  private _next: string | null = null;
  private _roots: string[] = [];
  private _search = new Coalesced(() => this._searchServer());
  private _unknown = new Set<string>();
}

function matches(execution: IExecutionView, words: string[]): boolean {
  const { name, flow, status, message, id } = execution;
  const text = [name, flow, status, message, id].join(' ').toLowerCase();
  return words.every(word => text.includes(word));
}

function newestFirst(ids: string[], store: ExecutionStore): string[] {
  return ids
    .map(id => store.get(id))
    .filter(execution => execution !== undefined)
    .sort((one, other) => byCreation(other, one))
    .map(({ id }) => id);
}
