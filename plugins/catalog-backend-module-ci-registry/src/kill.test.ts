import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

jest.setTimeout(400_000);

const KILLS = 2;
const TOKEN = 'static-token-of-a-test-0123456789';
const headers = {
  Authorization: `Bearer ${TOKEN}`,
  'Content-Type': 'application/json',
};

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise(resolve => server.close(resolve));
  return port;
}

describe('a backend that is killed again and again', () => {
  let folder: string;
  let url: string;
  let child: ChildProcess | undefined;
  let output = '';

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ci-registry-kill-'));
    await mkdir(join(folder, 'db'));
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    await writeFile(
      join(folder, 'config.json'),
      JSON.stringify({
        app: { baseUrl: url },
        backend: {
          baseUrl: url,
          listen: { host: '127.0.0.1', port },
          database: {
            client: 'better-sqlite3',
            connection: { directory: join(folder, 'db') },
          },
          auth: {
            externalAccess: [
              { type: 'static', options: { token: TOKEN, subject: 'test' } },
            ],
          },
        },
        ciRegistry: { pushesPerMinute: 100_000 },
        catalog: {
          processingInterval: { seconds: 30 },
          stitchingStrategy: { pollingInterval: { milliseconds: 200 } },
        },
      }),
    );
  });

  afterAll(async () => {
    await kill();
    await rm(folder, { recursive: true, force: true });
  });

  async function startBackend(): Promise<void> {
    const started = spawn(
      process.execPath,
      [
        '--require',
        require.resolve('@backstage/cli/config/nodeTransform.cjs'),
        join(__dirname, '__testUtils__', 'backendProcess.ts'),
        '--config',
        join(folder, 'config.json'),
      ],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, NODE_OPTIONS: '', NODE_ENV: 'development' },
      },
    );
    child = started;
    const keep = (chunk: Buffer) => {
      output = `${output}${chunk}`.slice(-20_000);
    };
    started.stdout.on('data', keep);
    started.stderr.on('data', keep);
    for (;;) {
      if (started.exitCode !== null || started.signalCode !== null) {
        throw new Error(`The backend ended: ${output}`);
      }
      const ready = await fetch(`${url}/.backstage/health/v1/readiness`).catch(
        () => undefined,
      );
      if (ready?.ok) return;
      await sleep(100);
    }
  }

  async function kill(): Promise<void> {
    const running = child;
    child = undefined;
    if (!running || running.exitCode !== null) return;
    const ended = new Promise(resolve => running.once('exit', resolve));
    running.kill('SIGKILL');
    await ended;
  }

  async function push(name: string, revision: number): Promise<boolean> {
    const answer = await fetch(`${url}/api/ci-registry/pushes`, {
      method: 'POST',
      headers,
      body: JSON.stringify({
        source: {
          repository: `acme/${name}`,
          commit: String(revision).padStart(40, '0'),
          time: new Date(Date.UTC(2026, 0, 1, 0, 0, revision)).toISOString(),
        },
        entities: [
          {
            apiVersion: 'backstage.io/v1alpha1',
            kind: 'Component',
            metadata: { name, description: `revision ${revision}` },
            spec: { type: 'service', lifecycle: 'production', owner: 'o' },
          },
        ],
      }),
    }).catch(() => undefined);
    if (answer && answer.status !== 200 && answer.status !== 503) {
      throw new Error(`${answer.status}: ${await answer.text()}`);
    }
    return answer?.status === 200;
  }

  async function revisionsInCatalog(
    names: string[],
  ): Promise<Map<string, number>> {
    const answer = await fetch(`${url}/api/catalog/entities/by-refs`, {
      method: 'POST',
      headers,
      body: JSON.stringify({
        entityRefs: names.map(name => `component:default/${name}`),
        fields: ['metadata.description'],
      }),
    });
    const { items } = (await answer.json()) as {
      items: ({ metadata: { description: string } } | null)[];
    };
    return new Map(
      names.map((name, index) => [
        name,
        Number(
          items[index]?.metadata.description.replace('revision ', '') ?? 0,
        ),
      ]),
    );
  }

  it('shows every push that it acknowledged', async () => {
    const acknowledged = new Map<string, number>();
    const work = { next: 0, over: false, answered: 0 };
    const pipeline = async (id: number) => {
      for (let i = 0; !work.over; i++) {
        work.next += 1;
        const revision = work.next;
        // New services, and changes of known ones.
        const name = i % 2 ? `known-${id}` : `new-${id}-${revision}`;
        if (await push(name, revision)) {
          work.answered += 1;
          acknowledged.set(name, revision);
        }
      }
    };
    await startBackend();
    for (let round = 1; round <= KILLS; round++) {
      Object.assign(work, { over: false, answered: 0 });
      const pipelines = [0, 1, 2, 3].map(pipeline);
      // Killed in the middle of work, at another point in each round.
      const enough = 5 + Math.floor(Math.random() * 40);
      while (work.answered < enough) await sleep(5);
      await kill();
      work.over = true;
      await Promise.all(pipelines);
      await startBackend();

      const names = [...acknowledged.keys()];
      const late = async () => {
        const shown = await revisionsInCatalog(names);
        // What was stored but not acknowledged may be newer.
        return names.filter(
          name => (shown.get(name) ?? 0) < acknowledged.get(name)!,
        );
      };
      const end = Date.now() + 60_000;
      let missing = await late();
      while (missing.length && Date.now() < end) {
        await sleep(200);
        missing = await late();
      }
      expect(missing).toEqual([]);
      expect(names.length).toBeGreaterThan(3);
    }
  });
});
