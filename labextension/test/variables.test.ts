import { describe, expect, it } from 'vitest';

import type { IVariableChange, IVariableView } from '../src/api';
import { partVariables, withChanges } from '../src/model/variables';

const aVariable = (name: string, type: string, missing: string | null = null): IVariableView => ({
  scope: 'globals',
  name,
  type,
  text: '',
  shape: null,
  bytes: 0,
  digest: '',
  missing,
  extra: {}
});

describe('the variables of a savepoint', () => {
  it('are parted into what a flow computes with and the rest, in their order', () => {
    const variables = [
      aVariable('__name__', 'str'),
      aVariable('orders', 'pandas.DataFrame'),
      aVariable('pd', 'module'),
      aVariable('__private', 'int'),
      aVariable('handler', 'function')
    ];
    const { data, code } = partVariables(withChanges(variables, []));
    expect(data.map(({ view }) => view.name)).toEqual(['orders', '__private']);
    expect(code.map(({ view }) => view.name)).toEqual(['__name__', 'pd', 'handler']);
  });

  it('that could not be kept are never among the rest', () => {
    const rows = withChanges([aVariable('score', 'function', 'it holds a socket')], []);
    expect(partVariables(rows).code).toEqual([]);
  });

  it('are shown with what became of each, and those that are gone last', () => {
    const change = (kind: IVariableChange['kind'], name: string): IVariableChange => ({
      kind,
      scope: 'globals',
      name,
      detail: '',
      before: kind === 'added' ? null : aVariable(name, 'int'),
      after: kind === 'removed' ? null : aVariable(name, 'int')
    });
    const rows = withChanges(
      [aVariable('kept', 'int'), aVariable('total', 'int')],
      [change('removed', 'draft'), change('changed', 'total')]
    );
    expect(rows.map(row => [row.view.name, row.change?.kind ?? null])).toEqual([
      ['kept', null],
      ['total', 'changed'],
      ['draft', 'removed']
    ]);
  });
});
