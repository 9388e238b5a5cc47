/**
 * What the REST interface under `flows/v1/` sends: the views of `jupyter_flows.model`, as JSON.
 * Instants are ISO 8601 texts in UTC; sizes are bytes.
 */

export type Status =
  'QUEUED' | 'RUNNING' | 'WAITING' | 'PAUSED' | 'ENDED_SUCCESS' | 'ENDED_ERROR' | 'ENDED_CANCELLED';

export type ExecutionType = 'FLOW' | 'CONNECTION' | 'NOTEBOOK';

/** Any value that JSON can hold. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export interface IErrorInfo {
  type: string;
  message: string;
  ids?: Record<string, string>;
  traceback?: string;
}

export interface IExecutionView {
  id: string;
  type: ExecutionType;
  flow: string | null;
  flow_version: string | null;
  name: string;
  status: Status;
  wish: 'CANCEL' | 'PAUSE' | null;
  message: string | null;
  input_value: Record<string, Json>;
  output_value: Record<string, Json>;
  parent_id: string | null;
  attempts: number;
  created_at: string;
  started_at: string | null;
  ended_at: string | null;
  error: IErrorInfo | null;
  children: number;
  savepoints: number;
  /** The name of the limit that it waits for. */
  held_back?: string | null;
  archived_at?: string | null;
  /** From a list: long values are cut, and a traceback is left out. */
  is_short?: boolean;
}

/** An object that a savepoint could not keep. */
export interface IMissing {
  path: string;
  type: string;
  reason: string;
}

export interface ISavepointView {
  id: string;
  execution_id: string;
  parent_id: string | null;
  number: number;
  name: string | null;
  kind: 'IMPLICIT' | 'NAMED' | 'CELL';
  created_at: string;
  action: string;
  last_command: string;
  cell: number | null;
  line: number;
  source: string;
  function: string;
  exact: boolean;
  inexact_reason: string | null;
  bytes_new: number;
  bytes_total: number;
  missing: IMissing[];
}

export interface IVariableView {
  scope: string;
  name: string;
  type: string;
  text: string;
  shape: number[] | null;
  bytes: number;
  digest: string;
  missing: string | null;
  extra: Record<string, Json>;
}

export interface ILogLine {
  number: number;
  execution_id: string;
  at: string;
  level: 'debug' | 'info' | 'warning' | 'error';
  text: string;
  fields: Record<string, Json>;
}

export interface IFlowView {
  name: string;
  path: string;
  kind: 'notebook' | 'script';
  title: string;
  parameters: Record<string, Json>;
  error: string | null;
}

/** What became of a variable between two savepoints; `detail` says what changed. */
export interface IVariableChange {
  kind: 'added' | 'removed' | 'changed';
  scope: string;
  name: string;
  detail: string;
  before: IVariableView | null;
  after: IVariableView | null;
}

/** One change in the store, as the WebSocket tells it. */
export interface IChange {
  seq: number;
  kind: 'execution' | 'savepoint' | 'log';
  execution_id: string;
  parent_id: string | null;
  execution?: IExecutionView | null;
}

export interface IExecutionPage {
  executions: IExecutionView[];
  next: string | null;
}

export interface IExecutionQuery {
  status?: Status;
  flow?: string;
  parent_id?: string;
  roots?: boolean;
  text?: string;
  limit?: number;
  cursor?: string | null;
}

/** An answer of the server that is not a success; `type` is a class of `jupyter_flows.errors`. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly type = '',
    readonly ids: Record<string, string> = {}
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

/** The calls that the models make. Each rejects with an `ApiError`; status 0: the server was not reached. */
/** The code to go on with: as it was at the savepoint, or as the flow's file is now. */
export type Code = 'saved' | 'current';

export interface IFlowsApi {
  flows(): Promise<IFlowView[]>;
  executions(query: IExecutionQuery): Promise<IExecutionPage>;
  execution(id: string): Promise<IExecutionView>;
  children(id: string): Promise<IExecutionView[]>;
  savepoints(id: string): Promise<ISavepointView[]>;
  savepoint(savepointId: string): Promise<ISavepointView>;
  log(id: string, after: number): Promise<ILogLine[]>;
  notebook(id: string): Promise<Record<string, Json>>;
  variables(savepointId: string): Promise<IVariableView[]>;
  difference(beforeId: string, afterId: string): Promise<IVariableChange[]>;
  start(flow: string, inputs: Record<string, Json>): Promise<IExecutionView>;
  cancel(id: string): Promise<IExecutionView>;
  pause(id: string): Promise<IExecutionView>;
  resume(id: string): Promise<IExecutionView>;
  again(id: string): Promise<IExecutionView>;
  archive(id: string): Promise<IExecutionView>;
  restore(savepointId: string, code?: Code): Promise<IExecutionView>;
  fork(savepointId: string): Promise<IExecutionView>;
}

export function isFinal(status: Status): boolean {
  return status.startsWith('ENDED');
}

/** A person drives a notebook, and a connection runs in one go: neither can rest. */
export function canPause(execution: IExecutionView): boolean {
  const isActive = !isFinal(execution.status) && execution.status !== 'PAUSED';
  return isActive && execution.type === 'FLOW' && execution.wish === null;
}

/** A notebook is run by its person. */
export function canRunAgain(execution: IExecutionView): boolean {
  return isFinal(execution.status) && execution.type !== 'NOTEBOOK';
}

export function canArchive(execution: IExecutionView): boolean {
  return isFinal(execution.status) && execution.savepoints > 0;
}
