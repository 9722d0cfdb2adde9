import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { BackendProcess } from './__testUtils__/BackendProcess';
import { POSTGRES } from './__testUtils__/killedWorld';

// Has no types of its own.
const Database = require('better-sqlite3');

jest.setTimeout(300_000);

/** Tells this run of the test from others on the same database server. */
const MARK = `k${process.pid.toString(36)}`;

/** Where runs are when the backend is killed: at the begin of each step, and after each outside write before anybody hears of it. */
const PLACES = [
  'begin preflight',
  'begin fetch',
  'begin publish',
  'git push',
  ...(POSTGRES ? ['begin database'] : []),
  'begin register',
  'expect catalog.entity',
  'push entities',
  'request catalog.entity',
  'git init',
  // Last: while one database is being made, no other one is.
  ...(POSTGRES ? ['create database'] : []),
];

/** A real backend in a process of its own, killed while every run stands at another place. */
describe('a backend that is killed with SIGKILL', () => {
  let root: string;
  let backend: BackendProcess;

  const submit = async (name: string): Promise<string> => {
    const { status, body } = await backend.call(
      'POST',
      '/scaffolder/v2/tasks',
      {
        templateRef: 'template:default/service',
        values: { name },
      },
    );
    expect([status, body.error]).toEqual([201, undefined]);
    return body.id;
  };

  async function finish(task: string) {
    await backend.until(`task ${task} has ended`, async () => {
      const { body } = await backend.call(
        'GET',
        `/scaffolder/v2/tasks/${task}`,
      );
      return !['open', 'processing'].includes(body.status);
    });
  }

  /** Asks the database server; nothing where there is none. */
  async function names(sql: string): Promise<string[]> {
    if (!POSTGRES) return [];
    const client = new Client({ connectionString: POSTGRES });
    await client.connect();
    try {
      const { rows } = await client.query(sql, [`svc_${MARK}_%`]);
      return rows.map(({ name }) => name).sort();
    } finally {
      await client.end();
    }
  }

  const onServer = async () => ({
    databases: await names(
      'SELECT datname AS name FROM pg_database WHERE datname LIKE $1',
    ),
    roles: await names(
      'SELECT rolname AS name FROM pg_roles WHERE rolname LIKE $1',
    ),
  });

  /** What a failed test left on the database server. */
  async function dropAll() {
    const left = await onServer();
    const client = new Client({ connectionString: POSTGRES });
    await client.connect();
    for (const name of left.databases) {
      await client.query(`DROP DATABASE "${name}" WITH (FORCE)`);
    }
    for (const name of left.roles) await client.query(`DROP ROLE "${name}"`);
    await client.end();
  }

  const git = (name: string, ...args: string[]) =>
    execFileSync(
      'git',
      ['--git-dir', join(root, 'data', 'git', `${name}.git`), ...args],
      { encoding: 'utf8' },
    ).trim();

  const repositories = () => readdirSync(join(root, 'data', 'git'));

  async function activeEntities(): Promise<string[]> {
    const { body } = await backend.call(
      'GET',
      '/ci-registry/entities?limit=100',
    );
    return body.items
      .filter(({ state }: any) => state === 'active')
      .map(({ entityRef }: any) => entityRef);
  }

  /** Everything outside, of all runs. */
  const world = async () => ({
    repositories: repositories(),
    ...(await onServer()),
    entities: await activeEntities(),
  });

  /** What a run left, with its name and its ids taken out. */
  async function endOf(name: string, task: string) {
    const plain = (value: unknown) =>
      JSON.parse(
        JSON.stringify(value)
          .replaceAll(name.replaceAll('-', '_'), '<name>')
          .replaceAll(name, '<name>'),
      );
    const { body } = await backend.call('GET', `/scaffolder/v2/tasks/${task}`);
    const events = await backend.call(
      'GET',
      `/scaffolder/v2/tasks/${task}/events`,
    );
    if (body.status !== 'completed') {
      return {
        status: body.status,
        log: events.body.map((event: any) => event.body.message),
      };
    }
    const { repositories: all, databases, roles, entities } = await world();
    // No name is the begin of another one.
    const own = (items: string[]) =>
      items.filter(item => item.replaceAll('_', '-').includes(name));
    const head = git(name, 'rev-parse', 'main');
    const effects = await backend.call(
      'GET',
      `/provisioning/effects?run=task:${task}`,
    );
    const shown = await backend.call(
      'GET',
      `/catalog/entities/by-name/component/default/${name}`,
    );
    return plain({
      status: body.status,
      goneOn: events.body.some(({ type }: any) => type === 'recovered'),
      repositories: own(all),
      refs: git(name, 'for-each-ref', '--format=%(refname)'),
      commits: git(name, 'rev-list', '--all', '--count'),
      files: git(name, 'ls-tree', '-r', '--name-only', 'main'),
      readme: git(name, 'show', 'main:README.md'),
      databases: own(databases),
      roles: own(roles),
      entities: own(entities),
      isShownAt:
        shown.body.metadata?.annotations?.['rocket.internal/source-commit'] ===
        head,
      effects: effects.body.items
        .map(
          ({ type, reference, state, intent }: any) =>
            `${type} ${reference} ${state} ${
              intent.commit === undefined || intent.commit === head
            }`,
        )
        .sort(),
    });
  }

  async function undo(name: string, task: string) {
    const request = {
      kind: 'undo',
      subject: `component:default/${name}`,
      input: { run: `task:${task}` },
    };
    const { body: plan } = await backend.call(
      'POST',
      '/provisioning/plans',
      request,
    );
    const { status, body } = await backend.call(
      'POST',
      '/provisioning/operations',
      {
        ...request,
        digest: plan.digest,
      },
    );
    expect([name, status, body.error]).toEqual([name, 202, undefined]);
    let operation = body;
    await backend.until(`${name} is undone`, async () => {
      operation = (
        await backend.call('GET', `/provisioning/operations/${body.id}`)
      ).body;
      return !['waiting', 'running'].includes(operation.state);
    });
    expect([name, operation.state, operation.message]).toEqual([
      name,
      'done',
      undefined,
    ]);
  }

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'rocket-killed-'));
    mkdirSync(join(root, 'sqlite'));
    backend = await BackendProcess.create(root);
  });

  afterAll(async () => {
    await backend?.kill();
    if (POSTGRES) await dropAll();
    rmSync(root, { recursive: true, force: true });
  });

  it(`goes on to the same end from every place, and can be undone to the start${
    POSTGRES
      ? ''
      : ' (no test PostgreSQL is given: without rocket:database:create)'
  }`, async () => {
    await backend.start();
    const before = await world();
    expect(Object.values(before).flat()).toEqual([]);

    const tasks = new Map<string, string>();
    const undisturbed = `${MARK}-undisturbed`;
    tasks.set(undisturbed, await submit(undisturbed));
    await finish(tasks.get(undisturbed)!);
    // All places are on the way.
    expect(backend.passed).toEqual(expect.arrayContaining(PLACES));
    for (const [index, place] of PLACES.entries()) {
      const name = `${MARK}-run-${String.fromCharCode(97 + index)}`;
      await backend.standStill(place, async () => {
        tasks.set(name, await submit(name));
      });
    }
    await backend.kill();
    // The next one can be on another machine: only what was saved is there.
    expect(readdirSync(join(root, 'work'))).not.toEqual([]);
    rmSync(join(root, 'work'), { recursive: true });
    mkdirSync(join(root, 'work'));

    await backend.start();
    for (const task of tasks.values()) await finish(task);
    const end = await endOf(undisturbed, tasks.get(undisturbed)!);
    const db = ['app', 'migration', 'owner'];
    expect(end).toEqual({
      status: 'completed',
      goneOn: false,
      repositories: ['<name>.git'],
      refs: 'refs/heads/main',
      commits: '1',
      files: 'README.md\ncatalog-info.yaml',
      readme: '# <name>',
      databases: POSTGRES ? ['svc_<name>'] : [],
      roles: POSTGRES ? db.map(role => `svc_<name>_${role}`) : [],
      entities: ['component:default/<name>'],
      isShownAt: true,
      effects: [
        'catalog.entity component:default/<name> live true',
        'git.repository <name> live true',
        ...(POSTGRES ? ['postgres.database tests/<name> live true'] : []),
      ],
    });
    for (const [index, [name, task]] of [...tasks].entries()) {
      const place = PLACES[index - 1];
      expect({ place, ...(await endOf(name, task)) }).toEqual({
        place,
        ...end,
        // Only the first had ended before.
        goneOn: place !== undefined,
      });
    }

    for (const [name, task] of tasks) await undo(name, task);
    expect(await world()).toEqual(before);
    const left = await backend.call('GET', '/provisioning/effects');
    expect(new Set(left.body.items.map(({ state }: any) => state))).toEqual(
      new Set(['undone']),
    );
    await backend.kill();

    const scaffolder = new Database(join(root, 'sqlite', 'scaffolder.sqlite'), {
      readonly: true,
    });
    const rows = scaffolder.prepare('SELECT secrets FROM tasks').all();
    scaffolder.close();
    expect(rows).toEqual([...tasks].map(() => ({ secrets: null })));
  });
});
