import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mockServices } from '@backstage/backend-test-utils';
import type { RuntimeTarget } from '@rocket/plugin-provisioning-node';
import { LocalRuntime, type LocalRuntimeOptions } from '../local/LocalRuntime';
import type { PostgresAdmin } from '../local/PostgresServer';
import type { PortRegistry } from '../local/ports';
import { ServiceDatabases } from '../local/ServiceDatabases';
import { CREDENTIALS } from '../local/ServicePreparation';
import { manifest } from './fakeService';

/** Answers after a moment, so that requests are under way at any time; ends at once on SIGTERM, so that whatever is cut off is seen. */
const SERVER = `
const http = require('node:http');
const fs = require('node:fs');
const { Client } = require(${JSON.stringify(require.resolve('pg'))});
const behaviour = JSON.parse(fs.readFileSync('behaviour.json', 'utf8'));
if (behaviour.exitAtStart) process.exit(3);
let served = 0;
http.createServer(async (req, res) => {
  if (req.url === '/readyz') {
    const sick = behaviour.ready === false || (behaviour.sickAfter !== undefined && served >= behaviour.sickAfter);
    res.statusCode = sick ? 503 : 200;
    res.end();
    return;
  }
  served += 1;
  fs.appendFileSync(behaviour.trace, behaviour.version + ' ' + process.pid + '\\n');
  for await (const _ of req) {}
  if (behaviour.crashAfter !== undefined && served > behaviour.crashAfter) { fs.writeFileSync('behaviour.json', JSON.stringify({ ...behaviour, exitAtStart: true })); process.exit(7); }
  const wait = Number(new URL(req.url, 'http://localhost').searchParams.get('ms') ?? 20);
  await new Promise(resolve => setTimeout(resolve, wait));
  const answer = { version: behaviour.version, pid: process.pid, url: process.env.DATABASE_URL };
  if (process.env.DATABASE_URL) {
    const client = new Client({ connectionString: process.env.DATABASE_URL });
    try {
      await client.connect();
      answer.user = (await client.query('SELECT current_user AS name')).rows[0].name;
      await client.end();
    } catch (error) {
      res.statusCode = 500;
      answer.error = String(error.message);
    }
  }
  if (behaviour.fails) res.statusCode = 500;
  res.end(JSON.stringify(answer));
}).listen(Number(process.env.PORT), process.env.HOST);
process.on('SIGTERM', () => process.exit(0));
`;

export interface Behaviour {
  version: string;
  exitAtStart?: boolean;
  ready?: boolean;
  /** Not ready any more after so many requests. */
  sickAfter?: number;
  /** Ends in the middle of the request after so many, and does not start again. */
  crashAfter?: number;
  /** Answers 500 to everything. */
  fails?: boolean;
}

/** A runtime in `directory` without the rest of a backend, and versions of services for it. */
export function makeRuntime(
  directory: string,
  firstPort: number,
  options: Partial<LocalRuntimeOptions> & { postgres?: PostgresAdmin } = {},
) {
  const ports = new Map<string, number>();
  const registry: PortRegistry = {
    getPort: async name => ports.get(name),
    takePort: async (name, port) => {
      if ([...ports.values()].includes(port)) return false;
      ports.set(name, port);
      return true;
    },
    releasePort: async name => {
      ports.delete(name);
    },
    listPorts: async () => [...ports.values()],
  };
  const nowhere: PostgresAdmin = {
    connectionUrl: async () => {
      throw new Error('there is no PostgreSQL in this test');
    },
    shutdown: async () => {},
  };
  const services = join(directory, 'services');
  const databases = new ServiceDatabases(options.postgres ?? nowhere, name =>
    join(services, name, CREDENTIALS),
  );
  const runtime = new LocalRuntime({
    directory: services,
    ports: { from: firstPort, to: firstPort + 19 },
    registry,
    databases,
    policy: {
      readyTimeoutMs: 20_000,
      healthIntervalMs: 100,
      maxRestarts: 1,
      restartDelayMs: 20,
      maxRestartDelayMs: 100,
      stableAfterMs: 60_000,
      stopGraceMs: 2_000,
    },
    handOver: { watchMs: 300, drainMs: 10_000, maxFailureShare: 0.5 },
    requestIdleMs: 10_000,
    maxInstances: 3,
    commandTimeoutMs: 20_000,
    logger: mockServices.logger.mock(),
    ...options,
  });
  let commits = 0;
  const trace = (name: string) => join(directory, `${name}.trace`);

  return {
    runtime,
    databases,
    ports,
    trace,
    /** A new commit of the service. */
    version(
      name: string,
      behaviour: Behaviour,
      changes: Record<string, unknown> = {},
    ): RuntimeTarget {
      commits += 1;
      return {
        name,
        entityRef: `component:default/${name}`,
        owner: 'group:default/ledger',
        commit: commits.toString(16).padStart(40, '0'),
        checkout: async target => {
          await mkdir(target, { recursive: true });
          const files = {
            'rocket.yaml': manifest(changes),
            'server.js': SERVER,
            'behaviour.json': JSON.stringify({
              ...behaviour,
              trace: trace(name),
            }),
          };
          for (const [file, content] of Object.entries(files)) {
            await writeFile(join(target, file), content);
          }
        },
      };
    },
    deploy: (target: RuntimeTarget) =>
      runtime.deploy(target, {
        signal: new AbortController().signal,
        onPhase: async () => {},
      }),
  };
}

export interface Answered {
  status: number;
  version?: string;
  pid?: number;
  user?: string;
  error?: string;
}

/** Clients that ask again and again, on connections that are kept; half of what they send has a body. */
export function startClients(url: string, clients = 8) {
  const answers: Answered[] = [];
  const waiting = new Set<() => void>();
  let over = false;
  const running = Array.from({ length: clients }, async (_, client) => {
    for (let i = 0; !over; i += 1) {
      const answer = await fetch(url, {
        ...((i + client) % 2
          ? { method: 'POST', body: 'x'.repeat(5_000) }
          : {}),
      }).then(
        async response => ({
          status: response.status,
          ...(await response.json()),
        }),
        error => ({ status: 0, error: String(error.cause ?? error) }),
      );
      answers.push(answer);
      for (const wake of waiting) wake();
    }
  });
  return {
    answers,
    /** Waits until an answer like this has come, from now on. */
    async until(condition: (answer: Answered) => boolean) {
      const from = answers.length;
      while (!answers.slice(from).some(condition)) {
        await new Promise<void>(resolve => {
          const wake = () => {
            waiting.delete(wake);
            resolve();
          };
          waiting.add(wake);
        });
      }
    },
    async stop() {
      over = true;
      await Promise.all(running);
      return answers;
    },
  };
}
