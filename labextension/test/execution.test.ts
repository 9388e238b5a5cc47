import { beforeEach, describe, expect, it } from 'vitest';

import { ApiError } from '../src/api';
import { ExecutionModel } from '../src/model/execution';
import { aLine, anExecution, aSavepoint, FakeServer, settle } from './fakes';

const told = (kind: 'execution' | 'savepoint' | 'log', given = {}) => ({
  seq: 1,
  kind,
  execution_id: 'e',
  parent_id: null,
  ...given
});

describe('the view of an execution', () => {
  let server: FakeServer;

  beforeEach(() => {
    server = new FakeServer();
    server.known = [anExecution('e')];
  });

  it('begins with the children if there are some, else with the savepoints', async () => {
    const alone = new ExecutionModel(server, 'e');
    await alone.refresh();
    expect(alone.tab).toBe('savepoints');
    server.known = [anExecution('e', 0, { children: 1 }), anExecution('child', 0, { parent_id: 'e' })];
    const parent = new ExecutionModel(server, 'e');
    await parent.refresh();
    expect(parent.tab).toBe('children');
    expect(parent.children.value?.map(({ id }) => id)).toEqual(['child']);
    const chosen = new ExecutionModel(server, 'e', 'log');
    await chosen.refresh();
    expect(chosen.tab).toBe('log');
  });

  it('fetches only what its tab shows', async () => {
    const model = new ExecutionModel(server, 'e', 'values');
    await model.refresh();
    model.apply(told('log'));
    await settle();
    expect(server.asked).toEqual(['execution e']);
    model.tab = 'log';
    await settle();
    expect(server.asked).toEqual(['execution e', 'log e 0']);
  });

  it('shows savepoints newest first, and new ones as they are made', async () => {
    server.kept = [aSavepoint('a', 1), aSavepoint('b', 2)];
    const model = new ExecutionModel(server, 'e', 'savepoints');
    await model.refresh();
    server.kept.push(aSavepoint('c', 3));
    model.apply(told('savepoint'));
    await settle();
    expect(model.savepoints.value?.map(({ id }) => id)).toEqual(['c', 'b', 'a']);
  });

  it('asks for the log that is new, and never shows a line twice', async () => {
    server.lines = [aLine(4), aLine(9)];
    const model = new ExecutionModel(server, 'e', 'log');
    await model.refresh();
    server.lines.push(aLine(12));
    model.apply(told('log'));
    const again = model.refresh();
    await settle();
    await again;
    expect(model.log.value?.map(({ number }) => number)).toEqual([4, 9, 12]);
    expect(server.asked).toContain('log e 9');
  });

  it('fetches the variables of a savepoint once, and again after a failure', async () => {
    const model = new ExecutionModel(server, 'e', 'savepoints');
    server.failure = new ApiError('away', 0);
    await model.loadVariables('s');
    expect(model.variables('s').error?.message).toBe('away');
    server.failure = null;
    await model.loadVariables('s');
    await model.loadVariables('s');
    expect(model.variables('s')).toEqual({ value: [], error: null });
    expect(server.asked).toEqual(['variables s', 'variables s']);
  });

  it('compares a savepoint with the one before it, once; the first has none', async () => {
    const model = new ExecutionModel(server, 'e', 'savepoints');
    await model.loadDifference(aSavepoint('first', 1, { parent_id: null }));
    await model.loadDifference(aSavepoint('second', 2, { parent_id: 'first' }));
    await model.loadDifference(aSavepoint('second', 2, { parent_id: 'first' }));
    expect(model.difference('second')).toEqual({ value: [], error: null });
    expect(server.asked).toEqual(['difference first second']);
  });

  it('follows its children', async () => {
    server.known.push(anExecution('child', 0, { parent_id: 'e' }));
    const model = new ExecutionModel(server, 'e', 'children');
    await model.refresh();
    const ended = anExecution('child', 0, { parent_id: 'e', status: 'ENDED_ERROR' });
    model.apply(told('execution', { execution_id: 'child', parent_id: 'e', execution: ended }));
    expect(model.children.value?.[0].status).toBe('ENDED_ERROR');
  });

  it('says that it is gone, and does not ask again', async () => {
    const model = new ExecutionModel(server, 'gone');
    await model.refresh();
    expect(model.execution.error?.type).toBe('ResourceNotFoundError');
    expect(model.execution.value).toBeNull();
  });

  it('keeps what it has when the server fails', async () => {
    const model = new ExecutionModel(server, 'e');
    await model.refresh();
    server.failure = new ApiError('away', 0);
    await expect(model.refresh()).rejects.toThrow('away');
    expect(model.execution.value?.id).toBe('e');
    expect(model.execution.error?.message).toBe('away');
  });
});
