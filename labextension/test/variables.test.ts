import { describe, expect, it } from 'vitest';

import type { IVariableView } from '../src/api';
import { partVariables } from '../src/model/variables';

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
    const { data, code } = partVariables([
      aVariable('__name__', 'str'),
      aVariable('orders', 'pandas.DataFrame'),
      aVariable('pd', 'module'),
      aVariable('__private', 'int'),
      aVariable('handler', 'function')
    ]);
    expect(data.map(({ name }) => name)).toEqual(['orders', '__private']);
    expect(code.map(({ name }) => name)).toEqual(['__name__', 'pd', 'handler']);
  });

  it('that could not be kept are never among the rest', () => {
    expect(partVariables([aVariable('score', 'function', 'it holds a socket')]).code).toEqual([]);
  });
});
