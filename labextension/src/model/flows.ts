import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { IFlowsApi, IFlowView } from '../api';
import type { ApiError } from '../api';
import type { IFetched } from './fetching';
import { NOT_FETCHED } from './fetching';
import type { ILiveView } from './live';

/** The flows found under the root. */
export class FlowsModel implements ILiveView {
  // Flows are files: no change of an execution tells of them.
  readonly isPushed = false;

  constructor(private readonly _api: IFlowsApi) {}

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get flows(): IFetched<IFlowView[]> {
    return this._flows;
  }

  get filter(): string {
    return this._filter;
  }

  set filter(text: string) {
    this._filter = text;
    this._changed.emit();
  }

  /** The flows that match the filter, by name. */
  get shown(): IFlowView[] {
    const words = this._filter.toLowerCase().split(/\s+/).filter(Boolean);
    return (this._flows.value ?? []).filter(flow => {
      const text = `${flow.name} ${flow.title}`.toLowerCase();
      return words.every(word => text.includes(word));
    });
  }

  /** The flow that is kept in the file at `path` below the root, if it is one. */
  atPath(path: string): IFlowView | undefined {
    return this._flows.value?.find(flow => flow.path === path);
  }

  named(name: string): IFlowView | undefined {
    return this._flows.value?.find(flow => flow.name === name);
  }

  async refresh(): Promise<void> {
    try {
      const flows = await this._api.flows();
      this._flows = { value: flows.sort((one, other) => one.name.localeCompare(other.name)), error: null };
    } catch (error) {
      this._flows = { value: this._flows.value, error: error as ApiError };
      throw error;
    } finally {
      this._changed.emit();
    }
  }

  apply(): void {}

  private _changed = new Signal<this, void>(this);
  private _filter = '';
  private _flows: IFetched<IFlowView[]> = NOT_FETCHED;
}
