import { existsSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { freePorts, makeDirectory } from '../__testUtils__/backend';
import { makeRuntime, startClients } from '../__testUtils__/localRuntime';
import { findMarkedGroups } from './processes';

jest.setTimeout(120_000);

describe('a new version beside the one that serves', () => {
  let directory: string;
  let made: ReturnType<typeof makeRuntime>;
  let clients: ReturnType<typeof startClients> | undefined;

  beforeEach(async () => {
    directory = await makeDirectory();
    made = makeRuntime(directory, await freePorts(20));
    await made.runtime.prepare();
  });

  afterEach(async () => {
    await clients?.stop();
    clients = undefined;
    await made.runtime.shutdown();
    const left = findMarkedGroups(join(directory, 'services'));
    if (left.length > 0) throw new Error(`left behind: ${left}`);
    await rm(directory, { recursive: true, force: true });
  });

  const groups = () => findMarkedGroups(join(directory, 'services'));
  const failed = (answers: { status: number }[]) =>
    answers.filter(answer => answer.status !== 200);

  it('takes over under continuous requests without losing one, again and again, at the same address', async () => {
    const { url } = await made.deploy(made.version('cards', { version: '1' }));
    clients = startClients(url);
    // Under way for longer than both versions stay beside each other.
    const slow = startClients(`${url}/?ms=700`, 4);
    await clients.until(answer => answer.version === '1');
    for (const version of ['2', '3', '4']) {
      const endpoint = await made.deploy(made.version('cards', { version }));
      expect(endpoint.url).toBe(url);
      await clients.until(answer => answer.version === version);
      // The version before has ended.
      expect(groups()).toHaveLength(1);
    }
    expect(failed(await slow.stop())).toEqual([]);
    const answers = await clients.stop();
    expect(failed(answers)).toEqual([]);
    expect(new Set(answers.map(answer => answer.version))).toEqual(
      new Set(['1', '2', '3', '4']),
    );
  });

  it.each([
    ['ends at once', { exitAtStart: true }, /exit code 3/],
    ['never gets ready', { ready: false }, /not ready after 1 seconds/],
  ])('gets no request when it %s', async (_what, behaviour, reason) => {
    await made.runtime.shutdown();
    made = makeRuntime(directory, await freePorts(20), {
      policy: {
        readyTimeoutMs: 1_000,
        healthIntervalMs: 100,
        maxRestarts: 1,
        restartDelayMs: 20,
        maxRestartDelayMs: 100,
        stableAfterMs: 60_000,
        stopGraceMs: 2_000,
      },
    });
    await made.runtime.prepare();
    const first = made.version('cards', { version: '1' });
    // The first version of a machine under load may take longer than that.
    const deployed = async () => {
      for (;;) {
        try {
          return await made.deploy(first);
        } catch (error) {
          if (!/not ready/.test(String(error))) throw error;
        }
      }
    };
    const { url } = await deployed();
    clients = startClients(url);
    await clients.until(answer => answer.version === '1');
    const broken = made.version('cards', { version: 'broken', ...behaviour });
    await expect(made.deploy(broken)).rejects.toThrow(reason);
    await clients.until(answer => answer.version === '1');
    expect(failed(await clients.stop())).toEqual([]);
    expect(await readFile(made.trace('cards'), 'utf8')).not.toContain('broken');
    expect(groups()).toHaveLength(1);
    // Provisioning asks for the version before; it has never been away.
    const { pid } = clients.answers[0];
    await made.runtime.start(first, { signal: new AbortController().signal });
    expect((await (await fetch(url)).json()).pid).toBe(pid);
  });

  it.each([
    [
      'stops being ready',
      { sickAfter: 5 },
      /not ready any more: .*answered 503/,
    ],
    ['fails what it is asked', { fails: true }, /requests failed/],
    // Whichever is seen first: its end, or that nobody answers.
    ['crashes', { crashAfter: 3 }, /exit code|is restarting|nothing answered/],
  ])(
    'is taken back, for the warm one before it, when it %s',
    async (_what, behaviour, reason) => {
      await made.runtime.shutdown();
      made = makeRuntime(directory, await freePorts(20), {
        // Long: it must be the fault that ends it.
        handOver: { watchMs: 60_000, drainMs: 10_000, maxFailureShare: 0.5 },
      });
      await made.runtime.prepare();
      const { url } = await made.deploy(
        made.version('cards', { version: '1' }),
      );
      clients = startClients(url);
      await clients.until(answer => answer.version === '1');
      const { pid } = clients.answers[0];
      await expect(
        made.deploy(made.version('cards', { version: 'bad', ...behaviour })),
      ).rejects.toThrow(reason);
      const since = clients.answers.length;
      await clients.until(answer => answer.version === '1');
      const answers = (await clients.stop()).slice(since);
      expect(failed(answers)).toEqual([]);
      expect(new Set(answers.map(answer => answer.pid))).toEqual(
        new Set([pid]),
      );
      expect(groups()).toEqual([pid]);
    },
  );

  it('gives up the watch when somebody stops the service', async () => {
    await made.runtime.shutdown();
    made = makeRuntime(directory, await freePorts(20), {
      handOver: { watchMs: 600_000, drainMs: 10_000, maxFailureShare: 0.5 },
    });
    await made.runtime.prepare();
    const { url } = await made.deploy(made.version('cards', { version: '1' }));
    clients = startClients(url, 1);
    const controller = new AbortController();
    const deploying = made.runtime.deploy(
      made.version('cards', { version: '2' }),
      { signal: controller.signal, onPhase: async () => {} },
    );
    await clients.until(answer => answer.version === '2');
    expect(groups()).toHaveLength(2);
    controller.abort(new Error('stopped'));
    await deploying;
    await clients.stop();
    await made.runtime.stop('cards');
    expect(groups()).toEqual([]);
    await expect(fetch(url)).rejects.toThrow();
  });

  it('scales under requests without losing one, within its bounds, and keeps the number for later versions', async () => {
    const first = made.version('cards', { version: '1' });
    const { url } = await made.deploy(first);
    clients = startClients(url);
    const signal = new AbortController().signal;
    for (const wrong of [0, 4, 1.5, NaN]) {
      await expect(
        made.runtime.scale(first, wrong, { signal }),
      ).rejects.toThrow(/from 1 to 3 on the local runtime/);
    }
    await made.runtime.scale(first, 3, { signal });
    const pids = new Set<number>();
    while (pids.size < 3) {
      await clients.until(answer => !pids.has(answer.pid!));
      for (const { pid } of clients.answers) pids.add(pid!);
    }
    const second = made.version('cards', { version: '2' });
    await made.deploy(second);
    expect(groups()).toHaveLength(3);
    expect(await made.runtime.observe(second, { signal })).toMatchObject({
      state: 'present',
    });
    await made.runtime.scale(second, 1, { signal });
    expect(groups()).toHaveLength(1);
    await clients.until(answer => answer.version === '2');
    expect(failed(await clients.stop())).toEqual([]);
  });

  it('says what of a service is there, and forgets it whole when it is removed', async () => {
    const signal = new AbortController().signal;
    const target = made.version('cards', { version: '1' });
    const other = made.version('cards', { version: '2' });
    const observe = async (of = target) => made.runtime.observe(of, { signal });
    expect(await observe()).toMatchObject({ state: 'absent' });
    const { url } = await made.deploy(target);
    expect(await observe()).toMatchObject({ state: 'present' });
    expect(await observe(other)).toMatchObject({
      state: 'drifted',
      differences: [
        { field: 'commit', intended: other.commit, found: target.commit },
      ],
    });
    await made.runtime.stop('cards');
    expect(await observe()).toMatchObject({
      state: 'drifted',
      differences: [{ field: 'processes', found: 'none' }],
    });
    await made.runtime.start(target, { signal });
    expect(await made.runtime.remove(target)).toEqual({ outcome: 'done' });
    expect(await made.runtime.remove(target)).toEqual({ outcome: 'done' });
    await expect(fetch(url)).rejects.toThrow();
    expect(groups()).toEqual([]);
    expect(made.ports.size).toBe(0);
    expect(existsSync(join(directory, 'services', 'cards'))).toBe(false);
    expect(await observe()).toMatchObject({ state: 'absent' });
  });

  it('keeps two environments of a service apart', async () => {
    const first = await made.deploy(made.version('cards', { version: '1' }));
    const second = await made.deploy({
      ...made.version('cards-pr-7', { version: '2' }),
      environment: { name: 'pr-7', tier: 'development', settings: {} },
    });
    expect(second.url).not.toBe(first.url);
    expect((await (await fetch(first.url)).json()).version).toBe('1');
    expect((await (await fetch(second.url)).json()).version).toBe('2');
    await made.runtime.remove({
      ...made.version('cards-pr-7', { version: '2' }),
    });
    expect((await (await fetch(first.url)).json()).version).toBe('1');
  });

  it('says that the disk is full, and leaves no half of a version', async () => {
    const signal = new AbortController().signal;
    const good = made.version('cards', { version: '1' });
    const { url } = await made.deploy(good);
    const full = {
      ...made.version('cards', { version: '2' }),
      checkout: async () => {
        throw Object.assign(
          new Error('ENOSPC: no space left on device, write'),
          {
            code: 'ENOSPC',
          },
        );
      },
    };
    await expect(made.deploy(full)).rejects.toThrow(
      /checkout of .* was not written\. The disk of this machine is full; free some space/,
    );
    const install = made.version(
      'cards',
      { version: '3' },
      {
        install: [
          'node',
          '-e',
          'console.error("npm error ENOSPC: no space left on device"); process.exit(1)',
        ],
      },
    );
    await expect(made.deploy(install)).rejects.toThrow(
      /exit code 1\. The disk of this machine is full/,
    );
    const releases = join(directory, 'services', 'cards', 'releases');
    expect(
      (await readdir(releases)).filter(name => name.startsWith(full.commit)),
    ).toEqual([]);
    expect((await (await fetch(url)).json()).version).toBe('1');
    // The disk has room again.
    await made.deploy({ ...full, checkout: good.checkout });
    expect(await made.runtime.observe(full, { signal })).toMatchObject({
      state: 'present',
    });
  });
});
