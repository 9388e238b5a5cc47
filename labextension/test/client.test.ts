import { ServerConnection } from '@jupyterlab/services';
import { describe, expect, it } from 'vitest';

import { FlowsClient } from '../src/client';
import { FakeSocket } from './fakes';

interface IAnswer {
  status?: number;
  body?: unknown;
}

function aClient(answer: IAnswer, given: Partial<ServerConnection.ISettings> = {}) {
  const requests: { method: string; url: URL; body: string }[] = [];
  const sockets: string[] = [];
  class Socket extends FakeSocket {
    constructor(url: string) {
      super(null);
      sockets.push(url);
    }
  }
  const settings = ServerConnection.makeSettings({
    baseUrl: 'http://localhost:8888/user/ada/',
    wsUrl: 'ws://localhost:8888/user/ada/',
    token: 'secret',
    fetch: async (input: RequestInfo) => {
      const request = input as Request;
      requests.push({ method: request.method, url: new URL(request.url), body: await request.text() });
      const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body ?? {});
      return new Response(text, { status: answer.status ?? 200 });
    },
    WebSocket: Socket as unknown as typeof WebSocket,
    ...given
  });
  return { client: new FlowsClient(settings), requests, sockets };
}

describe('the client of REST', () => {
  it('asks below the base URL, and does not count as activity of a person', async () => {
    const { client, requests } = aClient({ body: { executions: [], next: null } });
    await client.executions({ roots: true, limit: 50, cursor: null, text: '' });
    const { method, url } = requests[0];
    expect(`${method} ${url.pathname}`).toBe('GET /user/ada/flows/v1/executions');
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      roots: '1',
      limit: '50',
      no_track_activity: '1'
    });
    expect(url.searchParams.has('cursor')).toBe(false);
    expect(url.searchParams.has('text')).toBe(false);
  });

  it('sends inputs as JSON', async () => {
    const { client, requests } = aClient({ status: 201, body: { id: 'e' } });
    await client.start('etl/score', { rows: [1, null], name: 'ü' });
    expect(requests[0].method).toBe('POST');
    expect(requests[0].url.searchParams.has('no_track_activity')).toBe(false);
    expect(JSON.parse(requests[0].body)).toEqual({
      flow: 'etl/score',
      inputs: { rows: [1, null], name: 'ü' }
    });
  });

  it('gives refusals as errors with message, type and ids', async () => {
    const body = { message: 'it is a notebook', type: 'ConflictError', execution_id: 'e' };
    const { client } = aClient({ status: 409, body });
    await expect(client.restore('s')).rejects.toMatchObject({
      message: 'it is a notebook',
      status: 409,
      type: 'ConflictError',
      ids: { execution_id: 'e' }
    });
  });

  it('tells a server without flows from an execution that is not there', async () => {
    const { client } = aClient({ status: 404, body: '<html>404 : Not Found</html>' });
    await expect(client.flows()).rejects.toMatchObject({ status: 404, type: '' });
    const { client: other } = aClient({ status: 404, body: { message: 'Not Found', reason: null } });
    await expect(other.flows()).rejects.toMatchObject({ status: 404, type: '' });
  });

  it('says so when the server cannot be reached, or answers with a page', async () => {
    const { client } = aClient({}, { fetch: () => Promise.reject(new TypeError('Failed to fetch')) });
    await expect(client.flows()).rejects.toMatchObject({ status: 0 });
    const { client: behindLogin } = aClient({ body: '<html>Log in</html>' });
    await expect(behindLogin.flows()).rejects.toThrow('did not answer with JSON');
  });

  it('opens the socket with the token only where that is needed', () => {
    const { client, sockets } = aClient({}, { appendToken: true });
    client.openEvents(7);
    const url = new URL(sockets[0]);
    expect(url.pathname).toBe('/user/ada/flows/v1/events');
    expect(Object.fromEntries(url.searchParams)).toEqual({ token: 'secret', after: '7' });
    const { client: other, sockets: others } = aClient({}, { appendToken: false });
    other.openEvents(null);
    expect(others[0]).not.toContain('secret');
  });
});
