import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { legs } from './support/harness.ts';
import { killProcesses, startProcess } from './support/process.ts';

afterEach(killProcesses);

async function send(url: string, path: string, body: unknown) {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': randomUUID() },
    body: JSON.stringify(body),
  });
  return {
    status: response.status,
    connection: response.headers.get('connection'),
    body: (await response.json()) as any,
  };
}

describe('the process', () => {
  it('on SIGTERM says it is not ready, finishes what runs, takes nothing new, exits with 0', async () => {
    const service = await startProcess({ DRAIN_DELAY_MS: '1000' });
    const [a, b] = await Promise.all(
      ['asset', 'liability'].map(
        async kind => (await send(service.url, '/v1/accounts', { name: 'x', kind, currency: 'USD' })).body.id as string,
      ),
    );
    // A posting that is held up until we let it go.
    const owner = new pg.Client({ connectionString: process.env.SERVICE_OWNER_URL });
    await owner.connect();
    await owner.query('BEGIN');
    await owner.query(
      'SELECT 1 FROM account_balance WHERE account_no = (SELECT no FROM account WHERE id = $1) FOR UPDATE',
      [a],
    );
    const posting = send(service.url, '/v1/transactions', { legs: legs(a!, b!, '5') });
    const held = 'SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))';
    while ((await owner.query(held)).rows.length === 0) await new Promise(resolve => setTimeout(resolve, 5));

    service.child.kill('SIGTERM');
    let ready = 200;
    while (ready === 200) ready = (await fetch(`${service.url}/readyz`)).status;
    expect(ready).toBe(503);
    await owner.query('ROLLBACK');
    await owner.end();
    expect(await posting).toMatchObject({ status: 201 });
    expect(await service.exited).toBe(0);
    expect(service.output()).toContain('"finished":true');
    await expect(fetch(`${service.url}/healthz`)).rejects.toThrow();
  });

  it('works and stops in time with the agent on and its collector away', async () => {
    const service = await startProcess({
      NEW_RELIC_ENABLED: 'true',
      NEW_RELIC_LICENSE_KEY: '0'.repeat(40),
      NEW_RELIC_HOST: '127.0.0.1',
      NEW_RELIC_PORT: '1',
      NEW_RELIC_LOG_ENABLED: 'false',
      ROCKET_SERVICE_NAME: 'ledger-under-test',
      ROCKET_CRITICAL_PATH: 'transaction-posting',
      ...Object.fromEntries(
        ['AWS', 'AZURE', 'DOCKER', 'GCP', 'KUBERNETES', 'PCF'].map(name => [
          `NEW_RELIC_UTILIZATION_DETECT_${name}`,
          'false',
        ]),
      ),
    });
    const opened = await send(service.url, '/v1/accounts', { name: 'x', kind: 'asset', currency: 'USD' });
    expect(opened.status).toBe(201);
    expect((await fetch(`${service.url}/v1/accounts/${opened.body.id}`)).status).toBe(200);
    service.child.kill('SIGTERM');
    expect(await service.exited).toBe(0);
  });
});
