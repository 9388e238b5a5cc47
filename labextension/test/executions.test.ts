import { beforeEach, describe, expect, it } from 'vitest';

import { ApiError } from '../src/api';
import { ExecutionsModel } from '../src/model/executions';
import { anExecution, FakeServer, settle } from './fakes';

const idsOf = (model: ExecutionsModel) => model.rows.map(({ execution }) => execution.id);
const pushed = (execution: ReturnType<typeof anExecution>, seq = 1) => ({
  seq,
  kind: 'execution' as const,
  execution_id: execution.id,
  parent_id: execution.parent_id,
  execution
});

describe('the list of executions', () => {
  let server: FakeServer;
  let model: ExecutionsModel;

  beforeEach(() => {
    server = new FakeServer();
    model = new ExecutionsModel(server);
  });

  it('shows roots, newest first, and loads more on request', async () => {
    server.known = Array.from({ length: 70 }, (_, age) => anExecution(`e${age}`, age));
    await model.refresh();
    expect(model.rows).toHaveLength(50);
    expect(idsOf(model)[0]).toBe('e0');
    expect(model.hasMore).toBe(true);
    await model.loadMore();
    expect(model.rows).toHaveLength(70);
    expect(model.hasMore).toBe(false);
    await model.refresh();
    expect(model.rows).toHaveLength(70);
  });

  it('keeps the long values that a list cuts, until the execution goes on', async () => {
    const long = { report: 'x'.repeat(1000) };
    const cut = { report: { type: 'str', text: 'xxx…' } };
    model.store.change(anExecution('one', 1, { output_value: long }));
    server.known = [anExecution('one', 1, { output_value: cut, is_short: true })];
    await model.refresh();
    expect(model.store.get('one')?.output_value).toEqual(long);
    server.known = [anExecution('one', 1, { output_value: cut, is_short: true, savepoints: 9 })];
    await model.refresh();
    expect(model.store.get('one')?.output_value).toEqual(cut);
  });

  it('takes in what is pushed: a new root on top, a new status in place', async () => {
    server.known = [anExecution('old', 10)];
    await model.refresh();
    model.apply(pushed(anExecution('new', 0)));
    model.apply(pushed(anExecution('old', 10, { status: 'ENDED_SUCCESS' })));
    expect(idsOf(model)).toEqual(['new', 'old']);
    expect(model.rows[1].execution.status).toBe('ENDED_SUCCESS');
  });

  it('leaves no gap: a change of an old root whose page is not loaded does not show it', async () => {
    server.known = Array.from({ length: 60 }, (_, age) => anExecution(`e${age}`, age));
    await model.refresh();
    model.apply(pushed(anExecution('e55', 55)));
    expect(idsOf(model)).not.toContain('e55');
    await model.loadMore();
    expect(idsOf(model)).toEqual(server.known.map(({ id }) => id));
  });

  it('fetches children when their parent is expanded, and shows new ones as they start', async () => {
    server.known = [
      anExecution('parent', 10, { children: 1 }),
      anExecution('child', 5, { parent_id: 'parent' })
    ];
    await model.refresh();
    expect(idsOf(model)).toEqual(['parent']);
    model.expand('parent');
    await settle();
    model.apply(pushed(anExecution('later', 1, { parent_id: 'parent' })));
    expect(idsOf(model)).toEqual(['parent', 'child', 'later']);
    expect(model.rows[0].execution.children).toBe(2);
    model.collapseAll();
    expect(idsOf(model)).toEqual(['parent']);
  });

  it('does not let a slow answer undo what was pushed meanwhile', async () => {
    server.known = [anExecution('e', 0, { status: 'RUNNING' })];
    let open = (): void => undefined;
    server.gate = new Promise(resolve => (open = resolve));
    const refreshed = model.refresh();
    model.apply(pushed(anExecution('e', 0, { status: 'ENDED_SUCCESS' })));
    open();
    await refreshed;
    expect(model.rows[0].execution.status).toBe('ENDED_SUCCESS');
  });

  it('fetches an execution of which only the change was told', async () => {
    await model.refresh();
    server.known = [anExecution('e')];
    model.apply({ seq: 1, kind: 'execution', execution_id: 'e', parent_id: null });
    await settle();
    expect(idsOf(model)).toEqual(['e']);
  });

  it('filters by words over name, flow, status and message, and asks the server for the rest', async () => {
    server.known = Array.from({ length: 60 }, (_, age) => anExecution(`score ${age}`, age));
    await model.refresh();
    model.filter = 'score 57';
    expect(idsOf(model)).toEqual([]);
    await settle();
    expect(idsOf(model)).toEqual(['score 57']);
    model.filter = 'SCORE running 12';
    expect(idsOf(model)).toEqual(['score 12']);
    model.filter = '';
    expect(model.rows).toHaveLength(50);
  });

  it('keeps what it has when the server fails, and says why', async () => {
    server.known = [anExecution('e')];
    await model.refresh();
    server.failure = new ApiError('the store is away', 503, 'StoreError');
    await expect(model.refresh()).rejects.toBe(server.failure);
    expect(idsOf(model)).toEqual(['e']);
    expect(model.error?.message).toBe('the store is away');
    server.failure = null;
    await model.refresh();
    expect(model.error).toBeNull();
  });
});
