import { afterEach, describe, expect, it } from '@jest/globals';
import { createRuntime } from '../../src/platform/runtime.ts';
import { startServer, type Server } from '../../src/platform/server.ts';
import { noTelemetry, type Telemetry } from '../../src/platform/telemetry-api.ts';
import { definition } from '../../src/service.ts';
import { killProcesses, startProcess } from '../support/process.ts';

afterEach(killProcesses);

describe('the process', () => {
  it('starts and stops without a database', async () => {
    const service = await startProcess({ DATABASE_URL: 'postgresql://app@127.0.0.1:1/none' });
    expect((await fetch(`${service.url}/healthz`)).status).toBe(200);
    expect((await fetch(`${service.url}/readyz`)).status).toBe(503);
    service.child.kill('SIGTERM');
    expect(await service.exited).toBe(0);
  });

  it('does not start with a bad configuration or a port that is taken, and says why', async () => {
    await expect(startProcess({ DATABASE_URL: '' })).rejects.toThrow(/exited with 1.*DATABASE_URL must be/s);
    const service = await startProcess();
    await expect(startProcess({ PORT: new URL(service.url).port })).rejects.toThrow(/exited with 1.*EADDRINUSE/s);
  });
});

describe('drain', () => {
  const start = (env: Record<string, string>, telemetry: Telemetry = noTelemetry): Promise<Server> =>
    startServer(
      createRuntime(
        definition,
        { DATABASE_URL: process.env.SERVICE_APP_URL, PORT: '0', LOG_LEVEL: 'silent', DRAIN_DELAY_MS: '0', ...env },
        { telemetry },
      ),
    );

  it('stops within its time', async () => {
    const server = await start({});
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
    expect(await server.drain()).toBe(true);
  });

  it('gives up when something does not end', async () => {
    const server = await start(
      { DRAIN_TIMEOUT_MS: '100' },
      { ...noTelemetry, stop: () => new Promise<void>(() => {}) },
    );
    expect(await server.drain()).toBe(false);
  });

  it('leaves nothing open when the port is taken', async () => {
    const server = await start({});
    await expect(start({ PORT: new URL(server.url).port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await server.drain();
  });
});
