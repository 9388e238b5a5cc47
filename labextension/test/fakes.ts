import type {
  IExecutionPage,
  IExecutionQuery,
  IExecutionView,
  IFlowsApi,
  IFlowView,
  ILogLine,
  ISavepointView
} from '../src/api';
import { ApiError } from '../src/api';
import type { ISocket } from '../src/model/stream';

/** An execution created `age` seconds before an arbitrary noon. */
export function anExecution(id: string, age = 0, given: Partial<IExecutionView> = {}): IExecutionView {
  return {
    id,
    type: 'FLOW',
    flow: 'score',
    flow_version: 'v1',
    name: id,
    status: 'RUNNING',
    wish: null,
    message: null,
    input_value: {},
    output_value: {},
    parent_id: null,
    attempts: 0,
    created_at: new Date(Date.UTC(2026, 0, 1, 12) - 1000 * age).toISOString(),
    started_at: null,
    ended_at: null,
    error: null,
    children: 0,
    savepoints: 0,
    ...given
  };
}

export function aSavepoint(id: string, number: number, given: Partial<ISavepointView> = {}): ISavepointView {
  return {
    id,
    execution_id: 'e',
    parent_id: null,
    number,
    name: null,
    kind: 'IMPLICIT',
    created_at: '2026-01-01T12:00:00Z',
    action: 'log',
    last_command: "this.log('x')",
    cell: null,
    line: 3,
    source: "this.log('x')",
    function: 'handler',
    exact: true,
    inexact_reason: null,
    bytes_new: 10,
    bytes_total: 100,
    missing: [],
    ...given
  };
}

export function aLine(number: number): ILogLine {
  return {
    number,
    execution_id: 'e',
    at: '2026-01-01T12:00:00Z',
    level: 'info',
    text: `line ${number}`,
    fields: {}
  };
}

/** A server that holds what its arrays hold, and notes what it was asked. */
export class FakeServer implements IFlowsApi {
  asked: string[] = [];
  known: IExecutionView[] = [];
  found: IFlowView[] = [];
  lines: ILogLine[] = [];
  kept: ISavepointView[] = [];
  failure: ApiError | null = null;
  /** Answers wait for this. */
  gate: Promise<void> = Promise.resolve();

  flows(): Promise<IFlowView[]> {
    return this._answer('flows', () => [...this.found]);
  }

  executions(query: IExecutionQuery): Promise<IExecutionPage> {
    return this._answer(`executions ${JSON.stringify(query)}`, () => {
      const matching = this.known
        .filter(execution => !query.roots || execution.parent_id === null)
        .filter(execution => !query.text || execution.name.includes(query.text))
        .sort((one, other) => Date.parse(other.created_at) - Date.parse(one.created_at));
      const start = Number(query.cursor ?? 0);
      const end = start + (query.limit ?? 50);
      return { executions: matching.slice(start, end), next: end < matching.length ? String(end) : null };
    });
  }

  execution(id: string): Promise<IExecutionView> {
    return this._answer(`execution ${id}`, () => {
      const found = this.known.find(execution => execution.id === id);
      if (!found) {
        throw new ApiError(`no execution ${id}`, 404, 'ResourceNotFoundError');
      }
      return found;
    });
  }

  children(id: string): Promise<IExecutionView[]> {
    return this._answer(`children ${id}`, () => this.known.filter(({ parent_id }) => parent_id === id));
  }

  savepoints(id: string): Promise<ISavepointView[]> {
    return this._answer(`savepoints ${id}`, () => [...this.kept]);
  }

  log(id: string, after: number): Promise<ILogLine[]> {
    return this._answer(`log ${id} ${after}`, () => this.lines.filter(({ number }) => number > after));
  }

  notebook(id: string): Promise<Record<string, never>> {
    return this._answer(`notebook ${id}`, () => ({}));
  }

  difference(beforeId: string, afterId: string): Promise<never[]> {
    return this._answer(`difference ${beforeId} ${afterId}`, () => []);
  }
  variables(savepointId: string): Promise<never[]> {
    return this._answer(`variables ${savepointId}`, () => []);
  }

  savepoint = refuse;
  start = refuse;
  cancel = refuse;
  pause = refuse;
  resume = refuse;
  again = refuse;
  archive = refuse;
  restore = refuse;
  fork = refuse;

  private async _answer<T>(question: string, answer: () => T): Promise<T> {
    this.asked.push(question);
    if (this.failure) {
      throw this.failure;
    }
    const value = answer(); // as it is when the server is asked; the answer may arrive later
    await this.gate;
    return value;
  }
}

function refuse(): never {
  throw new Error('no model asks for this');
}

export class FakeSocket implements ISocket {
  constructor(readonly after: number | null) {}

  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  isClosed = false;

  close(): void {
    this.isClosed = true;
  }

  opens(): void {
    this.onopen?.(null as never);
  }

  says(data: unknown): void {
    this.onmessage?.({ data: typeof data === 'string' ? data : JSON.stringify(data) } as never);
  }

  breaks(): void {
    this.onclose?.(null as never);
  }
}

/** Lets all that is ready happen. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) {
    await Promise.resolve();
  }
}
