import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { ROOT } from '../scripts/contract.ts';
import { readConfig } from '../src/config.ts';
import { createLogger } from '../src/logger.ts';
import { startServer } from '../src/server.ts';
import { noTelemetry } from '../src/telemetry-api.ts';
import { legs } from './support/harness.ts';

/** The service as it runs in production: its own process, the start command of rocket.yaml. */
const running: ChildProcess[] = [];
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

type Started = { child: ChildProcess; url: string; output: () => string; exited: Promise<number | null> };

async function start(env: Record<string, string> = {}): Promise<Started> {
  const { NODE_OPTIONS: _options, ...rest } = process.env;
  const child = spawn(process.execPath, ['--import', './src/telemetry.ts', 'src/main.ts'], {
    cwd: ROOT,
    env: { ...rest, DATABASE_URL: process.env.LEDGER_APP_URL!, PORT: '0', HOST: '127.0.0.1', ...env },
  });
  running.push(child);
  let output = '';
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  const listening = new Promise<string>(resolve => {
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.on('data', data => {
        output += data;
        const found = /"url":"(http:[^"]+)"[^\n]*"msg":"listening"/.exec(output);
        if (found) resolve(found[1]!);
      });
    }
  });
  const url = await Promise.race([
    listening,
    exited.then(code => {
      throw new Error(`exited with ${code}: ${output}`);
    }),
  ]);
  return { child, url, output: () => output, exited };
}

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
    const service = await start({ DRAIN_DELAY_MS: '1000' });
    const [a, b] = await Promise.all(
      ['asset', 'liability'].map(
        async kind => (await send(service.url, '/v1/accounts', { name: 'x', kind, currency: 'USD' })).body.id as string,
      ),
    );
    // A posting that is held up until we let it go.
    const owner = new pg.Client({ connectionString: process.env.LEDGER_OWNER_URL });
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

  it('starts and stops without a database', async () => {
    const service = await start({ DATABASE_URL: 'postgresql://app@127.0.0.1:1/none' });
    expect((await fetch(`${service.url}/healthz`)).status).toBe(200);
    expect((await fetch(`${service.url}/readyz`)).status).toBe(503);
    service.child.kill('SIGTERM');
    expect(await service.exited).toBe(0);
  });

  it('works and stops in time with the agent on and its collector away', async () => {
    const service = await start({
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

  it('does not start with a bad configuration or a port that is taken, and says why', async () => {
    await expect(start({ DATABASE_URL: '' })).rejects.toThrow(/exited with 1.*DATABASE_URL must be/s);
    const service = await start();
    await expect(start({ PORT: new URL(service.url).port })).rejects.toThrow(/exited with 1.*EADDRINUSE/s);
  });
});

describe('drain', () => {
  const config = (env: Record<string, string>) =>
    readConfig({
      DATABASE_URL: process.env.LEDGER_APP_URL,
      PORT: '0',
      LOG_LEVEL: 'silent',
      DRAIN_DELAY_MS: '0',
      ...env,
    });

  it('stops within its time', async () => {
    const settings = config({});
    const server = await startServer(settings, createLogger(settings), noTelemetry);
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
    expect(await server.drain()).toBe(true);
  });

  it('gives up when something does not end', async () => {
    const settings = config({ DRAIN_TIMEOUT_MS: '100' });
    const stuck = { ...noTelemetry, stop: () => new Promise<void>(() => {}) };
    const server = await startServer(settings, createLogger(settings), stuck);
    expect(await server.drain()).toBe(false);
  });

  it('leaves nothing open when the port is taken', async () => {
    const settings = config({});
    const server = await startServer(settings, createLogger(settings), noTelemetry);
    const taken = config({ PORT: new URL(server.url).port });
    await expect(startServer(taken, createLogger(taken), noTelemetry)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await server.drain();
  });
});
