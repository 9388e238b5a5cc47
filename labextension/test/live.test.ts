import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { IChange } from '../src/api';
import type { ILiveView } from '../src/model/live';
import { Live } from '../src/model/live';
import { ChangeStream } from '../src/model/stream';
import { FakeSocket } from './fakes';

class FakeView implements ILiveView {
  constructor(readonly isPushed = true) {}

  refreshes = 0;
  changes: IChange[] = [];
  fails = false;

  refresh(): Promise<void> {
    this.refreshes += 1;
    return this.fails ? Promise.reject(new Error('the server is away')) : Promise.resolve();
  }

  apply(change: IChange): void {
    this.changes.push(change);
  }
}

describe('the freshness of the panels', () => {
  let sockets: FakeSocket[];
  let live: Live;
  const last = () => sockets[sockets.length - 1];

  beforeEach(() => {
    vi.useFakeTimers();
    sockets = [];
    const stream = new ChangeStream(
      after => {
        sockets.push(new FakeSocket(after));
        return last();
      },
      {
        start: (callback, delay) => Number(setTimeout(callback, delay)),
        stop: handle => clearTimeout(handle)
      }
    );
    live = new Live(stream);
  });

  afterEach(() => {
    live.dispose();
    vi.useRealTimers();
  });

  it('has neither socket nor requests while nothing is visible', async () => {
    const view = new FakeView();
    const shown = live.show(view);
    last().opens();
    await vi.advanceTimersByTimeAsync(100);
    shown.dispose();
    const before = view.refreshes;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(last().isClosed).toBe(true);
    expect(sockets).toHaveLength(1);
    expect(view.refreshes).toBe(before);
  });

  it('keeps its socket while one view takes the place of another', async () => {
    const shown = live.show(new FakeView());
    last().opens();
    shown.dispose();
    live.show(new FakeView());
    await vi.advanceTimersByTimeAsync(60_000);
    expect(sockets).toHaveLength(1);
    expect(last().isClosed).toBe(false);
  });

  it('refreshes a view when it is shown and when the socket opens, then only pushes', async () => {
    const view = new FakeView();
    live.show(view);
    expect(view.refreshes).toBe(1);
    last().opens();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(view.refreshes).toBe(2);
    last().says({ seq: 1, kind: 'log', execution_id: 'e', parent_id: null });
    expect(view.changes.map(({ execution_id }) => execution_id)).toEqual(['e']);
  });

  it('polls while there is no socket, at most three seconds apart', async () => {
    const view = new FakeView();
    live.show(view);
    last().breaks();
    await vi.advanceTimersByTimeAsync(30_000);
    expect(view.refreshes).toBeGreaterThanOrEqual(10);
  });

  it('stops polling once the socket is there again', async () => {
    const view = new FakeView();
    live.show(view);
    last().breaks();
    await vi.advanceTimersByTimeAsync(5000);
    last().opens();
    await vi.advanceTimersByTimeAsync(1);
    const before = view.refreshes;
    await vi.advanceTimersByTimeAsync(30_000);
    expect(view.refreshes).toBe(before);
  });

  it('keeps looking at what is not pushed', async () => {
    const files = new FakeView(false);
    live.show(files);
    last().opens();
    await vi.advanceTimersByTimeAsync(30_000);
    expect(files.refreshes).toBeGreaterThanOrEqual(10);
  });

  it('asks a failing server less and less often, and again until it answers', async () => {
    const view = new FakeView();
    view.fails = true;
    live.show(view);
    last().opens();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(view.refreshes).toBeLessThan(20);
    view.fails = false;
    const before = view.refreshes;
    await vi.advanceTimersByTimeAsync(120_000);
    expect(view.refreshes).toBe(before + 1);
  });
});
