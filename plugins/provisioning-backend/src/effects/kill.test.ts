import { spawn } from 'node:child_process';
import { cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { makeDirectory, runGit } from '../__testUtils__/backend';
import { openRun, type LedgerRun } from '../__testUtils__/ledgerRun';
import { GitHost } from '../git/GitHost';
import { Limiter } from '../service/Limiter';

jest.setTimeout(600_000);

type World = {
  things: { id: string; name: string; mark: string }[];
  entities: Record<string, { entityRef: string; state: string }>;
};

/** Many outside worlds, each below its own path; what was made stays when whoever made it dies. */
async function startWorlds() {
  const worlds = new Map<string, World>();
  let ids = 0;
  const server: Server = createServer(async (req, res) => {
    const [, name, list, id] = req.url!.split('/');
    const world = worlds.get(name)!;
    let text = '';
    for await (const chunk of req) text += chunk;
    const body = text ? JSON.parse(text) : undefined;
    let answer: unknown = {};
    if (list === 'entities' && req.method === 'PUT') {
      world.entities[body.entityRef] = body;
    } else if (list === 'entities') {
      answer = world.entities;
    } else if (req.method === 'POST') {
      ids += 1;
      answer = { id: String(ids), ...body };
      world.things.push(answer as World['things'][0]);
    } else if (req.method === 'DELETE') {
      world.things = world.things.filter(thing => thing.id !== id);
    } else {
      answer = world.things;
    }
    res.setHeader('content-type', 'application/json');
    res.end(JSON.stringify(answer));
  });
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    make(name: string, from?: string): string {
      const before = from === undefined ? undefined : worlds.get(from);
      worlds.set(name, structuredClone(before ?? { things: [], entities: {} }));
      return `http://127.0.0.1:${port}/${name}`;
    },
    get: (name: string) => worlds.get(name)!,
    stop: () =>
      new Promise(resolve => {
        server.closeAllConnections();
        server.close(resolve);
      }),
  };
}

/** A backend that is killed without warning after any of its writes. */
describe('a run of effects that is killed', () => {
  let root: string;
  let source: string;
  let commit: string;
  let worlds: Awaited<ReturnType<typeof startWorlds>>;

  beforeAll(async () => {
    root = await makeDirectory();
    source = join(root, 'source');
    await mkdir(source);
    await runGit(['init', '-q', '-b', 'main'], source);
    await writeFile(join(source, 'a.txt'), 'a');
    await runGit(['add', '-A'], source);
    await runGit(['commit', '-q', '-m', 'first'], source);
    commit = (await runGit(['rev-parse', 'HEAD'], source)).stdout.trim();
    worlds = await startWorlds();
  });

  afterAll(async () => {
    await worlds?.stop();
    await rm(root, { recursive: true, force: true });
  });

  async function makeRun(name: string, from?: string): Promise<LedgerRun> {
    const directory = join(root, name);
    if (from) await cp(join(root, from), directory, { recursive: true });
    else await mkdir(directory);
    return { directory, world: worlds.make(name, from), source, commit };
  }

  /** Names of the writes, in order; the last is the one after which it was killed. */
  async function runChild(
    what: 'run' | 'undo',
    run: LedgerRun,
    killAfter: number,
  ): Promise<string[]> {
    const child = spawn(
      process.execPath,
      [
        '--require',
        require.resolve('@backstage/cli/config/nodeTransform.cjs'),
        join(__dirname, '..', '__testUtils__', 'ledgerProcess.ts'),
        what,
        String(killAfter),
        JSON.stringify(run),
      ],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, NODE_OPTIONS: '' },
      },
    );
    let written = '';
    let errors = '';
    child.stdout.on('data', chunk => {
      written += chunk;
    });
    child.stderr.on('data', chunk => {
      errors += chunk;
    });
    const [code, signal] = await new Promise<[number | null, string | null]>(
      resolve => {
        child.once('close', (...end) => resolve(end));
      },
    );
    if (killAfter ? signal !== 'SIGKILL' : code !== 0) {
      throw new Error(`ended with ${code ?? signal}: ${errors}`);
    }
    return written.split('\n').filter(Boolean);
  }

  /** Everything outside the ledger, without ids and times. */
  async function look(name: string) {
    const { things, entities } = worlds.get(name);
    const host = new GitHost(join(root, name, 'git'));
    const directories = await readdir(host.root);
    const run = await openRun({
      directory: join(root, name),
      world: '',
      source,
      commit,
    });
    const rows = await run.db('repositories').select('name', 'archived_at');
    await run.close();
    const heads = await Promise.all(
      directories
        .filter(entry => entry.endsWith('.git'))
        .map(entry => host.heads(entry.replace(/\.git$/, ''))),
    );
    return {
      things: things.map(thing => thing.name).sort(),
      entities: Object.values(entities)
        .filter(({ state }) => state === 'active')
        .map(({ entityRef }) => entityRef),
      directories,
      rows,
      heads: heads.flat().map(head => `${head.ref} ${head.commit}`),
    };
  }

  const states = async (name: string) => {
    const run = await openRun({
      directory: join(root, name),
      world: '',
      source,
      commit,
    });
    const effects = await run.ledger.list({});
    await run.close();
    return effects.map(({ type, state }) => `${type} ${state}`);
  };

  const NOTHING = {
    things: [],
    entities: [],
    directories: [],
    rows: [],
    heads: [],
  };
  const LIVE = [
    'git.repository live',
    'remote.thing live',
    'remote.thing live',
    'catalog.entity live',
  ];

  /** For every k at once, but not too many processes. */
  async function forEachWrite(
    writes: string[],
    what: (k: number) => Promise<void>,
  ) {
    const limiter = new Limiter(2);
    const outcomes = await Promise.allSettled(
      writes.map((_name, index) => limiter.run(() => what(index + 1))),
    );
    const failures = outcomes.flatMap((outcome, index) =>
      outcome.status === 'rejected'
        ? [`after write ${index + 1} (${writes[index]}): ${outcome.reason}`]
        : [],
    );
    expect(failures).toEqual([]);
  }

  it('goes on to the same end and can be undone to the start, after every write', async () => {
    const undisturbed = await makeRun('undisturbed');
    const writes = await runChild('run', undisturbed, 0);
    const end = await look('undisturbed');
    expect(end).toEqual({
      things: ['alerts', 'dashboard'],
      entities: ['component:default/pay-api'],
      directories: ['pay-api.git'],
      rows: [{ name: 'pay-api', archived_at: null }],
      heads: [`refs/heads/main ${commit}`],
    });
    expect(await states('undisturbed')).toEqual(LIVE);
    // Both kinds of writes are among them.
    expect(writes).toEqual(
      expect.arrayContaining(['git create', 'git push', 'make alerts']),
    );
    expect(writes.filter(name => name === 'ledger change').length).toBe(9);

    await forEachWrite(writes, async k => {
      const killed = await makeRun(`killed-${k}`);
      expect(await runChild('run', killed, k)).toEqual(writes.slice(0, k));

      const undone = await openRun(await makeRun(`undo-${k}`, `killed-${k}`));
      await undone.undo();
      await undone.close();
      expect(await look(`undo-${k}`)).toEqual(NOTHING);
      const after = await states(`undo-${k}`);
      expect(after.filter(state => !state.endsWith(' undone'))).toEqual([]);

      const resumed = await openRun(killed);
      await resumed.carryOut();
      await resumed.close();
      expect(await look(`killed-${k}`)).toEqual(end);
      expect(await states(`killed-${k}`)).toEqual(LIVE);
    });
  });

  it('is undone to the start when the undo itself is killed after every write, and undone twice changes nothing', async () => {
    const made = await openRun(await makeRun('made'));
    await made.carryOut();
    await made.close();
    const writes = await runChild('undo', await makeRun('all', 'made'), 0);
    expect(await look('all')).toEqual(NOTHING);
    expect(await runChild('undo', await makeRun('twice', 'all'), 0)).toEqual(
      [],
    );

    await forEachWrite(writes, async k => {
      const killed = await makeRun(`half-${k}`, 'made');
      await runChild('undo', killed, k);
      const again = await openRun(killed);
      await again.undo();
      const before = worlds.get(`half-${k}`);
      await again.undo();
      await again.close();
      expect(worlds.get(`half-${k}`)).toEqual(before);
      expect(await look(`half-${k}`)).toEqual(NOTHING);
      expect(new Set(await states(`half-${k}`))).toEqual(
        new Set(LIVE.map(state => state.replace('live', 'undone'))),
      );
    });
  });

  it('says what a person must do where somebody else pushed meanwhile, and undoes the rest', async () => {
    const run = await makeRun('pushed');
    const made = await openRun(run);
    await made.carryOut();
    const other = join(root, 'other');
    const bare = join(run.directory, 'git', 'pay-api.git');
    await runGit(['clone', '-q', bare, other], root);
    await writeFile(join(other, 'b.txt'), 'b');
    await runGit(['add', '-A'], other);
    await runGit(['commit', '-q', '-m', 'second'], other);
    await runGit(['push', '-q', 'origin', 'main'], other);
    await made.undo();
    const [repository] = await made.ledger.list({ states: ['manual'] });
    expect(repository).toMatchObject({
      type: 'git.repository',
      instruction: expect.stringMatching(
        /^Somebody else pushed to the repository pay-api \(refs\/heads\/main at [0-9a-f]{12}\)\. Save what you need/,
      ),
    });
    expect(await look('pushed')).toMatchObject({
      things: [],
      entities: [],
      // Nothing is lost, and it can be pushed to again.
      rows: [{ name: 'pay-api', archived_at: null }],
    });
    await made.close();
  });
});
