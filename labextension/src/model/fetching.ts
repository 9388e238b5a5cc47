import type { ApiError } from '../api';

/** What is known of something that is fetched: nothing yet, a value, or why it could not be had. */
export interface IFetched<T> {
  readonly value: T | null;
  readonly error: ApiError | null;
}

export const NOT_FETCHED: IFetched<never> = { value: null, error: null };

/**
 * Runs `action` when asked, one at a time and no oftener than each `gap` milliseconds; what is asked meanwhile is
 * done once afterwards. A burst of a hundred changes so costs two requests.
 */
export class Coalesced {
  constructor(
    private readonly _action: () => Promise<void>,
    private readonly _gap = 250
  ) {}

  /** Asks for a run; failures are the action's own to show. */
  ask(): void {
    if (this._isBusy) {
      this._isAsked = true;
      return;
    }
    this._isBusy = true;
    void this._run();
  }

  private async _run(): Promise<void> {
    do {
      this._isAsked = false;
      await this._action().catch(() => undefined);
      await new Promise(resolve => setTimeout(resolve, this._gap));
    } while (this._wasAsked());
    this._isBusy = false;
  }

  private _wasAsked(): boolean {
    return this._isAsked;
  }

  private _isAsked = false;
  private _isBusy = false;
}
