import type { IVariableView } from '../api';

const CODE = new Set(['module', 'type', 'function', 'builtin_function_or_method', 'ABCMeta', 'method']);

/** Parts the variables a flow computes with from modules, functions, classes and Python's own names. */
export function partVariables(variables: readonly IVariableView[]): {
  data: IVariableView[];
  code: IVariableView[];
} {
  const isCode = ({ name, type, missing }: IVariableView): boolean =>
    missing === null && (CODE.has(type) || /^__\w+__$/.test(name));
  return { data: variables.filter(variable => !isCode(variable)), code: variables.filter(isCode) };
}
