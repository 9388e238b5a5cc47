import type { TranslationBundle } from '@jupyterlab/translation';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { CommandRegistry } from '@lumino/commands';
import type { ISignal } from '@lumino/signaling';
import * as React from 'react';

/** What every component of the panels needs from the application. */
export interface IShell {
  readonly commands: CommandRegistry;
  readonly trans: TranslationBundle;
  /** A BCP 47 tag, for numbers and dates. */
  readonly locale: string;
  readonly rendermime: IRenderMimeRegistry;
}

export const Shell = React.createContext<IShell | null>(null);

export function useShell(): IShell {
  const shell = React.useContext(Shell);
  if (shell === null) {
    throw new Error('a component of the flows panels stands outside of its Shell');
  }
  return shell;
}

/** Renders anew after the signal was emitted: once per frame, however often it was. */
export function useSignal(signal: ISignal<unknown, unknown>): void {
  const [, render] = React.useReducer((count: number) => count + 1, 0);
  React.useEffect(() => {
    let frame = 0;
    const slot = (): void => {
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        render();
      });
    };
    signal.connect(slot);
    slot(); // what was emitted between rendering and connecting
    return () => {
      signal.disconnect(slot);
      cancelAnimationFrame(frame);
    };
  }, [signal]);
}

/** The present in milliseconds, renewed every `interval` milliseconds. */
export function useNow(interval: number): number {
  const [now, setNow] = React.useState(() => Date.now());
  React.useEffect(() => {
    const handle = setInterval(() => setNow(Date.now()), interval);
    return () => clearInterval(handle);
  }, [interval]);
  return now;
}
