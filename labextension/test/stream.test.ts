import { describe, expect, it } from 'vitest';

import type { IChange } from '../src/api';
import { ChangeStream } from '../src/model/stream';
import { FakeSocket } from './fakes';

function setUp() {
  const sockets: FakeSocket[] = [];
  const waiting: { callback: () => void; delay: number }[] = [];
  const stream = new ChangeStream(
    after => {
      sockets.push(new FakeSocket(after));
      return sockets[sockets.length - 1];
    },
    {
      start: (callback, delay) => waiting.push({ callback, delay }),
      stop: handle => void (waiting[handle - 1].callback = () => undefined)
    }
  );
  const changes: IChange[] = [];
  const connected: boolean[] = [];
  stream.changed.connect((_, change) => changes.push(change));
  stream.connectedChanged.connect((_, isConnected) => connected.push(isConnected));
  return { stream, sockets, waiting, changes, connected };
}

const change = { kind: 'execution', execution_id: 'e', parent_id: null };

describe('the stream of changes', () => {
  it('tells the changes, and goes on after the last one when the socket breaks', () => {
    const { stream, sockets, waiting, changes, connected } = setUp();
    stream.open();
    expect(sockets[0].after).toBeNull();
    sockets[0].opens();
    sockets[0].says({ ...change, seq: 7 });
    sockets[0].breaks();
    waiting[0].callback();
    sockets[1].opens();
    expect(changes.map(({ seq }) => seq)).toEqual([7]);
    expect(sockets[1].after).toBe(7);
    expect(connected).toEqual([true, false, true]);
  });

  it('waits longer after each failure, and starts over once it was connected', () => {
    const { stream, sockets, waiting } = setUp();
    stream.open();
    for (let attempt = 0; attempt < 8; attempt++) {
      sockets[attempt].breaks();
      waiting[attempt].callback();
    }
    const delays = waiting.map(({ delay }) => delay);
    expect(delays[0]).toBeLessThanOrEqual(625);
    expect(delays[3]).toBeGreaterThan(2 * delays[0]);
    expect(Math.max(...delays)).toBeLessThanOrEqual(1.25 * 15_000);
    sockets[8].opens();
    sockets[8].breaks();
    expect(waiting[8].delay).toBeLessThanOrEqual(625);
  });

  it('stays closed once it was closed', () => {
    const { stream, sockets, waiting, connected } = setUp();
    stream.open();
    sockets[0].opens();
    stream.close();
    expect(sockets[0].isClosed).toBe(true);
    sockets[0].breaks();
    stream.open();
    sockets[1].breaks();
    stream.close();
    waiting.forEach(({ callback }) => callback());
    expect(sockets).toHaveLength(2);
    expect(connected).toEqual([true, false]);
  });

  it('does not ask for what happened while it was closed', () => {
    const { stream, sockets } = setUp();
    stream.open();
    sockets[0].says({ ...change, seq: 7 });
    stream.close();
    stream.open();
    expect(sockets[1].after).toBeNull();
  });

  it('passes over what is no change', () => {
    const { stream, sockets, changes } = setUp();
    stream.open();
    sockets[0].says('no JSON');
    sockets[0].says({ hello: 'world' });
    sockets[0].says('null');
    sockets[0].says({ ...change, seq: 1 });
    expect(changes).toHaveLength(1);
  });
});
