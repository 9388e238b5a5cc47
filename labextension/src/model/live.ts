/**
 * What keeps the visible panels fresh, and the hidden ones idle.
 *
 * Changes are pushed through one socket for all panels. Only while that cannot be had, and for what the store does
 * not know of (the flows are files), the visible panels are refreshed by polling, with back-off while the server
 * does not answer and none while the page is hidden. With no panel visible there is no socket and no poll.
 */
import type { IDisposable } from '@lumino/disposable';
import { DisposableDelegate } from '@lumino/disposable';
import { Poll } from '@lumino/polling';
import { Signal } from '@lumino/signaling';

import type { IChange } from '../api';
import type { ChangeStream } from './stream';

/** What a visible panel shows. */
export interface ILiveView {
  /** Its changes are pushed. */
  readonly isPushed: boolean;
  /** Fetches all anew; rejects when the server cannot answer. */
  refresh(): Promise<void>;
  /** Takes in one change. */
  apply(change: IChange): void;
}

/** Changes known only by looking are looked for this often, in milliseconds. */
export const DEFAULT_INTERVAL = 2000;

const LONGEST_INTERVAL = 30_000;

/** The socket is kept this long after the last panel was hidden, in milliseconds. */
const LINGER = 1000;

export class Live implements IDisposable {
  constructor(private readonly _stream: ChangeStream) {
    _stream.changed.connect(this._onChanged, this);
    _stream.connectedChanged.connect(this._onConnectedChanged, this);
    this._poll = new Poll({
      auto: false,
      name: 'jupyter-flows:refresh',
      standby: 'when-hidden',
      frequency: { interval: DEFAULT_INTERVAL, backoff: true, max: LONGEST_INTERVAL },
      factory: () => this._look()
    });
  }

  /** Milliseconds between two looks while changes are not pushed. */
  set interval(milliseconds: number) {
    this._poll.frequency = { ...this._poll.frequency, interval: milliseconds };
  }

  get isDisposed(): boolean {
    return this._poll.isDisposed;
  }

  /** The changes arrive by push; otherwise the panels are polled. */
  get isPushed(): boolean {
    return this._stream.isConnected;
  }

  /** Keeps a view fresh from now, beginning with a refresh, until the answer is disposed. */
  show(view: ILiveView): IDisposable {
    this._views.add(view);
    clearTimeout(this._closing);
    this._stream.open();
    this._startOrStop();
    this._refreshAll([view]).catch(() => undefined); // the view itself shows what went wrong
    return new DisposableDelegate(() => {
      this._views.delete(view);
      this._failing.delete(view);
      if (this._views.size === 0) {
        // Who goes from one tab to another hides the one before the other is shown.
        this._closing = setTimeout(() => this._stream.close(), LINGER);
      }
      this._startOrStop();
    });
  }

  /** Fetches anew all that is visible; rejects when one of the views could not. */
  refresh(): Promise<void> {
    return this._refreshAll([...this._views]);
  }

  // Not a refresh of what is pushed.
  private _look(): Promise<void> {
    return this._refreshAll(this._polled());
  }

  private _polled(): ILiveView[] {
    const isPushed = this._stream.isConnected;
    return [...this._views].filter(view => !isPushed || !view.isPushed || this._failing.has(view));
  }

  private async _refreshAll(views: ILiveView[]): Promise<void> {
    const results = await Promise.allSettled(views.map(view => view.refresh()));
    views.forEach((view, index) => {
      if (results[index].status === 'rejected' && this._views.has(view)) {
        this._failing.add(view);
      } else {
        this._failing.delete(view);
      }
    });
    if (!this.isDisposed) {
      this._startOrStop();
    }
    const failed = results.find(result => result.status === 'rejected');
    if (failed) {
      throw failed.reason;
    }
  }

  private _startOrStop(): void {
    if (this._polled().length === 0) {
      void this._poll.stop();
    } else if (this._poll.state.phase === 'stopped' || this._poll.state.phase === 'constructed') {
      // Not at once: what appears or reconnects is refreshed by itself.
      void this._poll.schedule({ phase: 'started', interval: this._poll.frequency.interval });
    }
  }

  dispose(): void {
    if (!this.isDisposed) {
      this._views.clear();
      clearTimeout(this._closing);
      this._poll.dispose();
      this._stream.dispose();
      Signal.clearData(this);
    }
  }

  private _onChanged(_: ChangeStream, change: IChange): void {
    this._views.forEach(view => view.apply(change));
  }

  // What happened between the last look and the opening of the socket is fetched, not waited for.
  private _onConnectedChanged(_: ChangeStream, isConnected: boolean): void {
    if (this._views.size === 0 || this.isDisposed) {
      return;
    }
    if (isConnected) {
      this.refresh().catch(() => undefined);
    }
    this._startOrStop();
  }

  private _closing: ReturnType<typeof setTimeout> | undefined;
  private _failing = new Set<ILiveView>();
  private _poll: Poll;
  private _views = new Set<ILiveView>();
}
