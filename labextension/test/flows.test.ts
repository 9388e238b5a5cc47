import { describe, expect, it, vi } from 'vitest';

import type { IFlowView } from '../src/api';
import { ApiError, isFinal } from '../src/api';
import { Coalesced } from '../src/model/fetching';
import { FlowsModel } from '../src/model/flows';
import { FakeServer } from './fakes';

const aFlow = (name: string, title = ''): IFlowView => ({
  name,
  path: `${name}.ipynb`,
  kind: 'notebook',
  title,
  parameters: {},
  error: null
});

describe('the list of flows', () => {
  it('is sorted, filtered by words of name and title, and found by path', async () => {
    const server = new FakeServer();
    server.found = [aFlow('nightly', 'Report of delays'), aFlow('etl/score')];
    const model = new FlowsModel(server);
    await model.refresh();
    expect(model.shown.map(({ name }) => name)).toEqual(['etl/score', 'nightly']);
    model.filter = 'report NIGHT';
    expect(model.shown.map(({ name }) => name)).toEqual(['nightly']);
    expect(model.atPath('etl/score.ipynb')?.name).toBe('etl/score');
    expect(model.atPath('other.ipynb')).toBeUndefined();
  });

  it('stays when the server fails', async () => {
    const server = new FakeServer();
    server.found = [aFlow('nightly')];
    const model = new FlowsModel(server);
    await model.refresh();
    server.failure = new ApiError('away', 0);
    await expect(model.refresh()).rejects.toThrow('away');
    expect(model.flows.value).toHaveLength(1);
    expect(model.flows.error?.message).toBe('away');
  });
});

describe('a coalesced action', () => {
  it('is done twice for a burst: at once, and once more for what came meanwhile', async () => {
    vi.useFakeTimers();
    const action = vi.fn(() => Promise.resolve());
    const coalesced = new Coalesced(action);
    for (let ask = 0; ask < 100; ask++) {
      coalesced.ask();
    }
    await vi.advanceTimersByTimeAsync(2000);
    expect(action).toHaveBeenCalledTimes(2);
    coalesced.ask();
    expect(action).toHaveBeenCalledTimes(3);
    vi.useRealTimers();
  });

  it('goes on after a failure', async () => {
    vi.useFakeTimers();
    const action = vi.fn(() => Promise.reject(new Error('away')));
    const coalesced = new Coalesced(action);
    coalesced.ask();
    await vi.advanceTimersByTimeAsync(2000);
    coalesced.ask();
    expect(action).toHaveBeenCalledTimes(2);
    vi.useRealTimers();
  });
});

describe('the status of an execution', () => {
  it('is final exactly when it has ended', () => {
    expect((['QUEUED', 'RUNNING', 'WAITING', 'PAUSED'] as const).some(isFinal)).toBe(false);
    expect((['ENDED_SUCCESS', 'ENDED_ERROR', 'ENDED_CANCELLED'] as const).every(isFinal)).toBe(true);
  });
});
