import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AuthService } from '@backstage/backend-plugin-api';
import type { Effect } from '@rocket/plugin-provisioning-common';
import { ProvisioningClient } from './ProvisioningClient';

const credentials = { $$type: '@backstage/BackstageCredentials' } as never;

describe('ProvisioningClient', () => {
  const closers: (() => void)[] = [];
  afterEach(() => closers.splice(0).forEach(close => close()));

  /** A server that gives these answers, the last one again and again; `hang up` closes the connection. */
  async function setup(...answers: (Partial<Effect> | number | 'hang up')[]) {
    const seen: string[] = [];
    const server = createServer((req, res) => {
      const answer = answers[Math.min(seen.length, answers.length - 1)];
      seen.push(`${req.method} ${req.url}`);
      if (answer === 'hang up') {
        req.socket.destroy();
        return;
      }
      const status = typeof answer === 'number' ? answer : 200;
      res.writeHead(status, { 'content-type': 'application/json' });
      res.end(
        JSON.stringify(
          typeof answer === 'number'
            ? {
                error: { name: 'NotFoundError', message: 'There is none' },
                response: { statusCode: status },
              }
            : { type: 'a.b', reference: 'c', ...answer },
        ),
      );
    });
    await new Promise<void>(resolve => {
      server.listen(0, '127.0.0.1', resolve);
    });
    closers.push(() => {
      server.closeAllConnections();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    const client = new ProvisioningClient({
      auth: {
        getPluginRequestToken: async () => ({ token: 't' }),
      } as Partial<AuthService> as AuthService,
      discovery: {
        getBaseUrl: async () => `http://127.0.0.1:${port}`,
        getExternalBaseUrl: async () => 'unused',
      },
    });
    return { client, seen };
  }

  it('waits for an effect through an outage and tells how it goes', async () => {
    const { client, seen } = await setup(
      { state: 'planned' },
      { state: 'applying', message: 'half' },
      { state: 'applying', message: 'half' },
      'hang up',
      { state: 'live', message: 'whole', details: { url: 'u' } },
    );
    const said: string[] = [];
    const effect = await client.waitForEffect('e/1', {
      credentials,
      onProgress: message => said.push(message),
    });
    expect(effect.details).toEqual({ url: 'u' });
    expect(said).toEqual(['half']);
    expect(seen).toEqual(Array(5).fill('GET /effects/e%2F1'));
  });

  it.each([
    [{ state: 'failed' as const, message: 'disk full' }, 'failed: disk full'],
    [{ state: 'manual' as const, instruction: 'ask Ada' }, 'manual: ask Ada'],
    [{ state: 'undone' as const }, 'undone: no reason was given'],
  ])('does not wait for what does not come: %j', async (answer, message) => {
    const { client, seen } = await setup(answer);
    await expect(client.waitForEffect('1', { credentials })).rejects.toThrow(
      `a.b c is ${message}`,
    );
    expect(seen).toHaveLength(1);
  });

  it('gives up when there is no such effect, or when it is told to', async () => {
    const { client } = await setup(404);
    await expect(
      client.waitForEffect('1', { credentials }),
    ).rejects.toMatchObject({ name: 'NotFoundError' });
    const stop = new AbortController();
    const waiting = (await setup({ state: 'applying' })).client.waitForEffect(
      '1',
      { credentials, signal: stop.signal },
    );
    stop.abort(new Error('cancelled'));
    await expect(waiting).rejects.toThrow(/cancelled|aborted/);
  });

  it('asks for effects by several states', async () => {
    const { client, seen } = await setup({});
    await client.listEffects(
      { run: 'task:1', state: ['live', 'failed'], limit: undefined },
      { credentials },
    );
    expect(seen).toEqual(['GET /effects?run=task%3A1&state=live&state=failed']);
  });
});
