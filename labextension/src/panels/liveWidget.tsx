import { ReactWidget } from '@jupyterlab/ui-components';
import type { IDisposable } from '@lumino/disposable';
import type { Message } from '@lumino/messaging';
import * as React from 'react';

import type { ILiveView, Live } from '../model/live';
import type { IShell } from './shell';
import { Shell } from './shell';

/** A React widget whose model is kept fresh exactly while it is visible. */
export abstract class LiveWidget extends ReactWidget {
  constructor(
    protected readonly shell: IShell,
    private readonly _live: Live,
    private readonly _view: ILiveView
  ) {
    super();
    this.addClass('jp-Flows');
  }

  protected abstract body(): React.ReactElement;

  protected override render(): React.ReactElement {
    return <Shell.Provider value={this.shell}>{this.body()}</Shell.Provider>;
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    if (this.isVisible) {
      this._watch();
    }
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this._watch();
  }

  protected override onBeforeHide(message: Message): void {
    this._rest();
    super.onBeforeHide(message);
  }

  protected override onBeforeDetach(message: Message): void {
    this._rest();
    super.onBeforeDetach(message);
  }

  private _watch(): void {
    this._watched ??= this._live.show(this._view);
  }

  private _rest(): void {
    this._watched?.dispose();
    this._watched = null;
  }

  private _watched: IDisposable | null = null;
}
