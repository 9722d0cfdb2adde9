import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ServiceStatus } from '@rocket/plugin-provisioning-common';
import createKnex from 'knex';
import { freePorts, makeDirectory, runGit } from '../__testUtils__/backend';
import { fakeService } from '../__testUtils__/fakeService';
import { DatabaseRepositoryStore } from '../service/DatabaseRepositoryStore';
import { GitHost } from '../git/GitHost';
import { endGroup, findMarkedGroups, processIdentity } from './processes';

jest.setTimeout(120_000);

/** A backend that is killed without warning, as by `kill -9` or the kernel. */
describe('after a kill', () => {
  let dataDir: string;
  let port: number;
  const children: ChildProcess[] = [];

  beforeEach(async () => {
    dataDir = await makeDirectory();
    port = await freePorts(6);
  });

  afterEach(async () => {
    for (const child of children) child.kill('SIGKILL');
    for (const group of findMarkedGroups(join(dataDir, 'services'))) {
      await endGroup(group, 0);
    }
    await rm(dataDir, { recursive: true, force: true });
  });

  async function makeRepository(name: string, files: Record<string, string>) {
    const host = new GitHost(join(dataDir, 'git'));
    await host.prepare();
    await host.create(name);
    const knex = createKnex({
      client: 'better-sqlite3',
      connection: join(dataDir, 'test.sqlite'),
      useNullAsDefault: true,
    });
    await knex.migrate.latest({
      directory: join(__dirname, '..', '..', 'migrations'),
    });
    await new DatabaseRepositoryStore(knex).insertRepository({
      name,
      owner: 'group:default/ledger',
      defaultBranch: 'main',
      createdBy: 'user:default/guest',
      createdAt: new Date().toISOString(),
    });
    await knex.destroy();
    const work = join(dataDir, 'work');
    await mkdir(work);
    await runGit(['init', '-q', '-b', 'main'], work);
    await push(name, files);
  }

  /** Commits the files on top of what the repository has. */
  async function push(name: string, files: Record<string, string>) {
    const work = join(dataDir, 'work');
    for (const [path, content] of Object.entries(files)) {
      await writeFile(join(work, path), content);
    }
    await runGit(['add', '-A'], work);
    await runGit(['commit', '-q', '-m', 'first'], work);
    await runGit(
      ['push', '-q', join(dataDir, 'git', `${name}.git`), 'main'],
      work,
    );
  }

  function startManager(...deploy: string[]) {
    return startManagerWith({}, ...deploy);
  }

  function startManagerWith(env: Record<string, string>, ...deploy: string[]) {
    const child = spawn(
      process.execPath,
      [
        '--require',
        require.resolve('@backstage/cli/config/nodeTransform.cjs'),
        join(__dirname, '..', '__testUtils__', 'managerProcess.ts'),
        dataDir,
        String(port),
        ...deploy,
      ],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, ...env, NODE_OPTIONS: '' },
      },
    );
    children.push(child);
    let errors = '';
    child.stderr.on('data', chunk => {
      errors += chunk;
    });
    const waiting: (() => void)[] = [];
    let statuses: ServiceStatus[] = [];
    createInterface({ input: child.stdout }).on('line', line => {
      statuses = JSON.parse(line);
      waiting.splice(0).forEach(wake => wake());
    });
    const exited = new Promise<void>(resolve => {
      child.once('exit', () => resolve());
    });
    exited.then(() => waiting.splice(0).forEach(wake => wake()));
    return {
      async until(condition: (status: ServiceStatus) => boolean) {
        for (;;) {
          const found = statuses.find(condition);
          if (found) return found;
          if (child.exitCode !== null || child.signalCode !== null) {
            throw new Error(`The manager ended: ${errors}`);
          }
          await new Promise<void>(resolve => waiting.push(resolve));
        }
      },
      async kill(signal: NodeJS.Signals) {
        child.kill(signal);
        await exited;
      },
    };
  }

  it('ends what is left of a running service and starts it again, once, at the same address', async () => {
    // It ignores SIGTERM and writes nothing, so it survives its backend.
    await makeRepository('left-api', fakeService({ stubborn: true }));
    const first = startManager('left-api');
    const before = await first.until(s => s.state === 'healthy');
    const { pid } = await (await fetch(before.url!)).json();
    await first.kill('SIGKILL');
    expect(processIdentity(pid)).toBeDefined();

    const second = startManager();
    const after = await second.until(s => s.state === 'healthy');
    expect(after.url).toBe(before.url);
    const next = await (await fetch(after.url!)).json();
    expect(next.pid).not.toBe(pid);
    expect(processIdentity(pid)).toBeUndefined();
    expect(findMarkedGroups(join(dataDir, 'services'))).toEqual([next.pid]);

    await second.kill('SIGTERM');
    expect(processIdentity(next.pid)).toBeUndefined();
  });

  it('goes on with a deployment that was under way', async () => {
    // The first installation hangs; the one after the kill finds its trace and ends.
    await makeRepository(
      'half-api',
      fakeService(
        {},
        {
          install: [
            'node',
            '-e',
            'const fs = require("fs"); if (!fs.existsSync("trace")) { fs.writeFileSync("trace", ""); setInterval(() => {}, 1000); }',
          ],
        },
      ),
    );
    const first = startManager('half-api');
    const { commit } = await first.until(s =>
      s.phases.some(p => p.phase === 'install' && p.status === 'running'),
    );
    const trace = join(dataDir, 'services/half-api/releases', commit!, 'trace');
    while (!(await readFile(trace).catch(() => undefined))) {
      await new Promise(resolve => setTimeout(resolve, 20));
    }
    await first.kill('SIGKILL');
    const left = findMarkedGroups(join(dataDir, 'services'));
    expect(left).toHaveLength(1);

    const second = startManager();
    const after = await second.until(s => s.state === 'healthy');
    expect(after).toMatchObject({ commit, deployment: { status: 'done' } });
    expect(findMarkedGroups(join(dataDir, 'services'))).not.toContain(left[0]);
    await second.kill('SIGTERM');
    expect(findMarkedGroups(join(dataDir, 'services'))).toEqual([]);
  });

  it('has one healthy version at the same address when it came in the middle of a switch', async () => {
    await makeRepository('switch-api', fakeService({ version: '1' }));
    const first = startManager('switch-api');
    const { url, commit } = await first.until(s => s.state === 'healthy');
    await first.kill('SIGTERM');

    await push('switch-api', fakeService({ version: '2', stubborn: true }));
    // Both stay beside each other until the kill.
    const second = startManagerWith({ WATCH_MS: '600000' }, 'switch-api');
    const about = async () =>
      (await fetch(url!).catch(() => undefined))?.json();
    while ((await about())?.version !== '2') {
      await new Promise(resolve => setTimeout(resolve, 20));
    }
    const services = join(dataDir, 'services');
    const left = findMarkedGroups(services);
    expect(left).toHaveLength(2);
    const proxy = JSON.parse(
      await readFile(join(services, 'proxy.pid'), 'utf8'),
    ).pid;
    await second.kill('SIGKILL');

    const third = startManager();
    const after = await third.until(
      s => s.state === 'healthy' && s.deployment?.status === 'done',
    );
    expect(after.url).toBe(url);
    expect(after.commit).not.toBe(commit);
    const { version, pid } = await about();
    expect(version).toBe('2');
    expect(findMarkedGroups(services)).toEqual([pid]);
    for (const old of [...left, proxy]) {
      expect(processIdentity(old)).toBeUndefined();
    }
    await third.kill('SIGTERM');
    expect(findMarkedGroups(services)).toEqual([]);
    await expect(fetch(url!)).rejects.toThrow();
  });

  it('leaves a stranger alone that has the old process id', async () => {
    await makeRepository('idle-api', fakeService());
    const stranger = spawn('sleep', ['60']);
    try {
      await mkdir(join(dataDir, 'services', 'idle-api'), { recursive: true });
      await writeFile(
        join(dataDir, 'services', 'idle-api', 'process.pid'),
        JSON.stringify({ pid: stranger.pid, identity: 'another boot:1' }),
      );
      const manager = startManager('idle-api');
      await manager.until(s => s.state === 'healthy');
      expect(processIdentity(stranger.pid!)).toBeDefined();
      await manager.kill('SIGTERM');
    } finally {
      stranger.kill('SIGKILL');
    }
  });
});
