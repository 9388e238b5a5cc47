import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import type {
  Code,
  IExecutionPage,
  IExecutionQuery,
  IExecutionView,
  IFlowsApi,
  IFlowView,
  ILogLine,
  ISavepointView,
  IVariableChange,
  IVariableView,
  Json
} from './api';
import { ApiError } from './api';

const ROOT = 'flows/v1';

/** REST under `flows/v1/` of the Jupyter server, with that server's own authentication. */
export class FlowsClient implements IFlowsApi {
  constructor(private readonly _settings: ServerConnection.ISettings) {}

  async flows(): Promise<IFlowView[]> {
    return (await this._call<{ flows: IFlowView[] }>('GET', 'flows')).flows;
  }

  executions(query: IExecutionQuery): Promise<IExecutionPage> {
    const { roots, ...rest } = query;
    const given = Object.entries({ ...rest, roots: roots ? 1 : null })
      .filter(([, value]) => value != null && value !== '')
      .map(([key, value]) => [key, String(value)]);
    return this._call('GET', `executions?${new URLSearchParams(given).toString()}`);
  }

  execution(id: string): Promise<IExecutionView> {
    return this._call('GET', `executions/${encodeURIComponent(id)}`);
  }

  async children(id: string): Promise<IExecutionView[]> {
    const answer = await this._call<{ executions: IExecutionView[] }>(
      'GET',
      below('executions', id, 'children')
    );
    return answer.executions;
  }

  async savepoints(id: string): Promise<ISavepointView[]> {
    const path = below('executions', id, 'savepoints');
    return (await this._call<{ savepoints: ISavepointView[] }>('GET', path)).savepoints;
  }

  savepoint(savepointId: string): Promise<ISavepointView> {
    return this._call('GET', `savepoints/${encodeURIComponent(savepointId)}`);
  }

  async log(id: string, after: number): Promise<ILogLine[]> {
    const path = `${below('executions', id, 'log')}?after=${after}`;
    return (await this._call<{ log: ILogLine[] }>('GET', path)).log;
  }

  notebook(id: string): Promise<Record<string, Json>> {
    return this._call('GET', below('executions', id, 'notebook'));
  }

  async difference(beforeId: string, afterId: string): Promise<IVariableChange[]> {
    const path = `${below('savepoints', beforeId, 'diff')}/${encodeURIComponent(afterId)}`;
    return (await this._call<{ changes: IVariableChange[] }>('GET', path)).changes;
  }

  async variables(savepointId: string): Promise<IVariableView[]> {
    const path = below('savepoints', savepointId, 'variables');
    return (await this._call<{ variables: IVariableView[] }>('GET', path)).variables;
  }

  start(flow: string, inputs: Record<string, Json>): Promise<IExecutionView> {
    return this._call('POST', 'executions', { flow, inputs });
  }

  cancel(id: string): Promise<IExecutionView> {
    return this._call('POST', below('executions', id, 'cancel'), {});
  }

  pause(id: string): Promise<IExecutionView> {
    return this._call('POST', below('executions', id, 'pause'), {});
  }

  resume(id: string): Promise<IExecutionView> {
    return this._call('POST', below('executions', id, 'resume'), {});
  }

  again(id: string): Promise<IExecutionView> {
    return this._call('POST', below('executions', id, 'again'), {});
  }

  archive(id: string): Promise<IExecutionView> {
    return this._call('POST', below('executions', id, 'archive'), {});
  }

  restore(savepointId: string, code: Code = 'saved'): Promise<IExecutionView> {
    return this._call('POST', below('savepoints', savepointId, 'restore'), { code });
  }

  fork(savepointId: string): Promise<IExecutionView> {
    return this._call('POST', below('savepoints', savepointId, 'fork'), {});
  }

  /** Opens the WebSocket of changes; `after` is the last change known, null: from now on. */
  openEvents(after: number | null): WebSocket {
    const { wsUrl, appendToken, token, WebSocket: Socket } = this._settings;
    const query = new URLSearchParams();
    if (appendToken && token) {
      query.set('token', token);
    }
    if (after !== null) {
      query.set('after', String(after));
    }
    return new Socket(`${URLExt.join(wsUrl, ROOT, 'events')}?${query.toString()}`);
  }

  private async _call<T>(method: string, path: string, body?: Record<string, Json>): Promise<T> {
    const [bare, query = ''] = path.split('?');
    const given = new URLSearchParams(query);
    if (method === 'GET') {
      // A panel that looks is no activity of a person: else an open page would keep an idle server from being culled.
      given.set('no_track_activity', '1');
    }
    const url = `${URLExt.join(this._settings.baseUrl, ROOT, bare)}?${given.toString()}`;
    const init = { method, ...(body ? { body: JSON.stringify(body) } : {}) };
    let response: Response;
    try {
      response = await ServerConnection.makeRequest(url, init, this._settings);
    } catch (error) {
      throw new ApiError(error instanceof Error ? error.message : String(error), 0);
    }
    const answer = await readJson(response);
    if (!response.ok) {
      throw toApiError(response, answer);
    }
    if (answer === undefined) {
      throw new ApiError(`${url} did not answer with JSON`, response.status);
    }
    return answer as T;
  }
}

function below(collection: string, id: string, part: string): string {
  return `${collection}/${encodeURIComponent(id)}/${part}`;
}

async function readJson(response: Response): Promise<unknown> {
  try {
    return JSON.parse(await response.text());
  } catch {
    return undefined;
  }
}

// Our handlers send {message, type, …ids}; a 404 without a type is the server's own: no such handler.
function toApiError(response: Response, answer: unknown): ApiError {
  if (typeof answer !== 'object' || answer === null) {
    return new ApiError(`${response.status} ${response.statusText}`, response.status);
  }
  const { message, type, ...rest } = answer as Record<string, unknown>;
  const ids = Object.entries(rest).filter((pair): pair is [string, string] => typeof pair[1] === 'string');
  return new ApiError(
    typeof message === 'string' && message ? message : `${response.status} ${response.statusText}`,
    response.status,
    typeof type === 'string' ? type : '',
    Object.fromEntries(ids)
  );
}
