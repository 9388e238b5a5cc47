import { describe, expect, it } from 'vitest';

import { ExecutionStore } from '../src/model/store';
import { filteredRows, treeMove, treeRows } from '../src/model/tree';
import { anExecution } from './fakes';

function aFamily(): ExecutionStore {
  const store = new ExecutionStore();
  store.put(
    [
      anExecution('parent', 100, { children: 2 }),
      anExecution('second', 80, { parent_id: 'parent' }),
      anExecution('first', 90, { parent_id: 'parent', children: 1 }),
      anExecution('grandchild', 70, { parent_id: 'first', status: 'ENDED_ERROR' }),
      anExecution('lonely', 50)
    ],
    store.mark()
  );
  return store;
}

const roots = ['lonely', 'parent'];
const idsOf = (rows: { execution: { id: string } }[]) => rows.map(({ execution }) => execution.id);

describe('the rows of the tree', () => {
  it('show children below their expanded parent, in the order of their creation', () => {
    const rows = treeRows(aFamily(), { roots, expanded: new Set(['parent']) });
    expect(idsOf(rows)).toEqual(['lonely', 'parent', 'first', 'second']);
    expect(rows.map(({ level }) => level)).toEqual([1, 1, 2, 2]);
    expect(rows[3]).toMatchObject({ position: 2, size: 2, isExpandable: false });
    expect(rows[2]).toMatchObject({ isExpandable: true, isExpanded: false });
  });

  it('know that a parent has children before these are loaded', () => {
    const store = new ExecutionStore();
    store.put([anExecution('parent', 0, { children: 3 })], store.mark());
    expect(treeRows(store, { roots: ['parent'], expanded: new Set() })[0].isExpandable).toBe(true);
  });

  it('that match a filter stand below their ancestors', () => {
    const rows = filteredRows(aFamily(), ({ status }) => status === 'ENDED_ERROR');
    expect(idsOf(rows)).toEqual(['parent', 'first', 'grandchild']);
    expect(rows.map(({ level }) => level)).toEqual([1, 2, 3]);
  });

  it('that match a filter stand alone when their parent is not known', () => {
    const store = new ExecutionStore();
    store.put([anExecution('orphan', 0, { parent_id: 'unknown' })], store.mark());
    expect(idsOf(filteredRows(store, () => true))).toEqual(['orphan']);
  });
});

describe('the keyboard in the tree', () => {
  const closed = treeRows(aFamily(), { roots, expanded: new Set() });
  const open = treeRows(aFamily(), { roots, expanded: new Set(['parent']) });

  it('goes up and down, and stops at the ends', () => {
    expect(treeMove(open, null, 'ArrowDown')).toEqual({ focus: 'lonely' });
    expect(treeMove(open, 'lonely', 'ArrowDown')).toEqual({ focus: 'parent' });
    expect(treeMove(open, 'second', 'ArrowDown')).toEqual({ focus: 'second' });
    expect(treeMove(open, 'lonely', 'ArrowUp')).toEqual({ focus: 'lonely' });
    expect(treeMove(open, 'lonely', 'End')).toEqual({ focus: 'second' });
    expect(treeMove(open, 'second', 'Home')).toEqual({ focus: 'lonely' });
  });

  it('opens with the right arrow, then enters', () => {
    expect(treeMove(closed, 'parent', 'ArrowRight')).toEqual({ expand: 'parent' });
    expect(treeMove(open, 'parent', 'ArrowRight')).toEqual({ focus: 'first' });
    expect(treeMove(open, 'second', 'ArrowRight')).toBeNull();
  });

  it('leaves with the left arrow, then closes', () => {
    expect(treeMove(open, 'second', 'ArrowLeft')).toEqual({ focus: 'parent' });
    expect(treeMove(open, 'parent', 'ArrowLeft')).toEqual({ collapse: 'parent' });
    expect(treeMove(closed, 'parent', 'ArrowLeft')).toBeNull();
  });

  it('leaves other keys alone', () => {
    expect(treeMove(open, 'parent', 'x')).toBeNull();
    expect(treeMove([], null, 'ArrowDown')).toBeNull();
  });
});
