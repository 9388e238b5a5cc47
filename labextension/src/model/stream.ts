import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { IChange } from '../api';

/** The part of a WebSocket that a stream uses. */
export interface ISocket {
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  close(): void;
}

/** Timers, so that tests need not wait. Delays in milliseconds. */
export interface ITimers {
  start(callback: () => void, delay: number): number;
  stop(handle: number): void;
}

const browserTimers: ITimers = {
  start: (callback, delay) => window.setTimeout(callback, delay),
  stop: handle => window.clearTimeout(handle)
};

const FIRST_DELAY = 500;
const LONGEST_DELAY = 15_000;

/**
 * The changes of the store, as they come: one socket that is opened anew, after growing delays, until it is
 * closed on purpose. A new socket continues after the last change seen.
 */
export class ChangeStream implements IDisposable {
  constructor(
    private readonly _connect: (after: number | null) => ISocket,
    private readonly _timers: ITimers = browserTimers
  ) {}

  get changed(): ISignal<this, IChange> {
    return this._changed;
  }

  /** Emits true when a socket has opened and false when it is lost. */
  get connectedChanged(): ISignal<this, boolean> {
    return this._connectedChanged;
  }

  get isConnected(): boolean {
    return this._isConnected;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  open(): void {
    if (!this._isDisposed && !this._isOpen) {
      this._isOpen = true;
      this._delay = FIRST_DELAY;
      this._dial();
    }
  }

  /** After this, `open` begins with what changes then: what was missed is to be fetched. */
  close(): void {
    this._isOpen = false;
    this._after = null;
    if (this._retry !== null) {
      this._timers.stop(this._retry);
      this._retry = null;
    }
    const socket = this._socket;
    this._socket = null;
    socket?.close();
    this._setConnected(false);
  }

  dispose(): void {
    if (!this._isDisposed) {
      this.close();
      this._isDisposed = true;
      Signal.clearData(this);
    }
  }

  private _dial(): void {
    this._retry = null;
    let socket: ISocket;
    try {
      socket = this._connect(this._after);
    } catch {
      this._retryLater();
      return;
    }
    this._socket = socket;
    socket.onopen = () => {
      if (socket === this._socket) {
        this._delay = FIRST_DELAY;
        this._setConnected(true);
      }
    };
    socket.onmessage = (event: { data?: unknown }) => {
      if (socket === this._socket) {
        this._receive(event.data);
      }
    };
    socket.onclose = () => {
      if (socket === this._socket) {
        this._socket = null;
        this._setConnected(false);
        this._retryLater();
      }
    };
  }

  private _receive(data: unknown): void {
    let change: Partial<IChange> | null;
    try {
      change = JSON.parse(String(data)) as Partial<IChange> | null;
    } catch {
      return;
    }
    if (typeof change?.seq === 'number' && typeof change.execution_id === 'string') {
      this._after = change.seq;
      this._changed.emit(change as IChange);
    }
  }

  private _retryLater(): void {
    if (this._isOpen) {
      // Spread out, so that all browsers do not come back to a restarted server at the same instant.
      const delay = this._delay * (0.75 + Math.random() / 2);
      this._delay = Math.min(2 * this._delay, LONGEST_DELAY);
      this._retry = this._timers.start(() => this._dial(), delay);
    }
  }

  private _setConnected(isConnected: boolean): void {
    if (this._isConnected !== isConnected) {
      this._isConnected = isConnected;
      this._connectedChanged.emit(isConnected);
    }
  }

  private _after: number | null = null;
  private _changed = new Signal<this, IChange>(this);
  private _connectedChanged = new Signal<this, boolean>(this);
  private _delay = FIRST_DELAY;
  private _isConnected = false;
  private _isDisposed = false;
  private _isOpen = false;
  private _retry: number | null = null;
  private _socket: ISocket | null = null;
}
