import { randomUUID } from 'node:crypto';
import type { LightMyRequestResponse } from 'fastify';
import type { Config } from '../../src/platform/config.ts';
import { buildApp, type App } from '../../src/platform/http/app.ts';
import type { Lifecycle } from '../../src/platform/http/operations.ts';
import { createRuntime, type Runtime } from '../../src/platform/runtime.ts';
import type { ServiceDefinition } from '../../src/platform/service.ts';
import type { Telemetry } from '../../src/platform/telemetry-api.ts';

export type Answer = { status: number; headers: Record<string, string | undefined>; body: any };

export type TestApp = {
  app: App;
  runtime: Runtime;
  config: Config;
  lifecycle: Lifecycle;
  /** What was told to the agent. */
  attributes: [string, string][];
  names: string[];
  log: string[];
  get(url: string, headers?: Record<string, string>): Promise<Answer>;
  /** With an Idempotency-Key of its own, unless one is given. A text is sent as it is, everything else as JSON. */
  post(url: string, body: unknown, headers?: Record<string, string>): Promise<Answer>;
  put(url: string, body: unknown, headers?: Record<string, string>): Promise<Answer>;
  close(): Promise<void>;
};

export function toAnswer(response: LightMyRequestResponse): Answer {
  const type = String(response.headers['content-type'] ?? '');
  return {
    status: response.statusCode,
    headers: response.headers as Answer['headers'],
    body: type.includes('json') && response.body !== '' ? JSON.parse(response.body) : response.body,
  };
}

/** The application on the shared database, reached without a socket. */
export async function startApp(definition: ServiceDefinition, env: Record<string, string> = {}): Promise<TestApp> {
  const attributes: [string, string][] = [];
  const names: string[] = [];
  const telemetry: Telemetry = {
    addAttribute: (name, value) => attributes.push([name, value]),
    nameTransaction: name => names.push(name),
    traceId: () => '0af7651916cd43dd8448eb211c80319c',
    stop: async () => {},
  };
  const log: string[] = [];
  const runtime = createRuntime(
    definition,
    {
      DATABASE_URL: process.env.SERVICE_APP_URL,
      ROCKET_SERVICE_NAME: 'service-under-test',
      ROCKET_CRITICAL_PATH: 'path-under-test',
      LOG_LEVEL: 'info',
      ...env,
    },
    { telemetry, log: { write: line => log.push(line) } },
  );
  const lifecycle: Lifecycle = { draining: false };
  const app = await buildApp({ ...runtime, lifecycle });

  async function send(method: 'POST' | 'PUT', url: string, body: unknown, headers: Record<string, string> = {}) {
    const response = await app.inject({
      method,
      url,
      headers: { 'idempotency-key': randomUUID(), 'content-type': 'application/json', ...headers },
      payload: typeof body === 'string' ? body : JSON.stringify(body),
    });
    return toAnswer(response);
  }

  return {
    app,
    runtime,
    config: runtime.config,
    lifecycle,
    attributes,
    names,
    log,
    async get(url, headers = {}) {
      return toAnswer(await app.inject({ method: 'GET', url, headers }));
    },
    post: (url, body, headers) => send('POST', url, body, headers),
    put: (url, body, headers) => send('PUT', url, body, headers),
    async close() {
      await app.close();
      await runtime.close();
    },
  };
}
