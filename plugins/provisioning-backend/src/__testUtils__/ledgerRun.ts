/**
 * A run of several effects whose outside world is a fake over HTTP and the real
 * Git host, and its undo; both can be ended by `kill -9` after any write. Used
 * by effects/kill.test.ts in its own process and, through ledgerProcess.ts, in
 * one that dies.
 */
import { join } from 'node:path';
import type { JsonObject } from '@backstage/types';
import type { CiRegistryService } from '@rocket/plugin-ci-registry-node';
import type {
  Effect,
  EffectRequest,
  Observation,
} from '@rocket/plugin-provisioning-common';
import type { EffectHandler } from '@rocket/plugin-provisioning-node';
import createKnex from 'knex';
import { DatabaseEffectStore } from '../effects/DatabaseEffectStore';
import { DefaultEffectLedger } from '../effects/DefaultEffectLedger';
import { EffectHandlers } from '../effects/EffectHandlers';
import { CatalogEntityHandler } from '../effects/handlers/CatalogEntityHandler';
import { GitRepositoryHandler } from '../effects/handlers/GitRepositoryHandler';
import { git } from '../git/gitCommand';
import { GitHost } from '../git/GitHost';
import { Access } from '../service/Access';
import { DatabaseRepositoryStore } from '../service/DatabaseRepositoryStore';
import { RepositoryService } from '../service/RepositoryService';

export const RUN = 'task:1';
const NAME = 'pay-api';
const SUBJECT = `component:default/${NAME}`;
const OWNER = 'group:default/ledger';
const actor = { name: 'user:default/mock' };

export interface LedgerRun {
  /** Database and Git host. */
  directory: string;
  /** Base URL of the fake world. */
  world: string;
  /** Repository with the commit that the run pushes, and the commit. */
  source: string;
  commit: string;
}

/** Hears of each write to the ledger or to the outside world when it is done. */
type Tick = (what: string) => Promise<void>;

async function call<T>(
  method: string,
  url: string,
  body?: unknown,
): Promise<T> {
  const response = await fetch(url, {
    method,
    headers: { 'content-type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status}`);
  return (await response.json()) as T;
}

/** The same object, but for a tick after each of the named calls that did something. */
function ticking<T extends object>(
  target: T,
  prefix: string,
  methods: (keyof T & string)[],
  tick: Tick,
): T {
  return new Proxy(target, {
    get(_target, key) {
      const value = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      return async (...args: unknown[]) => {
        const result = await value.apply(target, args);
        const isWrite = methods.includes(key as keyof T & string);
        // A row that was there already, a lease that somebody else has.
        const isRefused =
          ['insert', 'claim', 'insertRepository'].includes(String(key)) &&
          !result;
        if (isWrite && !isRefused) await tick(`${prefix} ${String(key)}`);
        return result;
      };
    },
  });
}

/** Objects of a system that makes another one at each POST, as many do. */
class RemoteThingHandler implements EffectHandler {
  readonly type = 'remote.thing';
  readonly title = 'Thing';
  readonly retireOrder = 20;
  readonly #world: string;
  readonly #tick: Tick;

  constructor(world: string, tick: Tick) {
    this.#world = world;
    this.#tick = tick;
  }

  parseIntent(intent: JsonObject) {
    return intent;
  }

  describeUndo({ reference }: Pick<Effect, 'reference'>) {
    return `Deletes ${reference}`;
  }

  async preflight() {
    return [];
  }

  async #find(effect: Effect) {
    const things = await call<{ id: string; mark: string }[]>(
      'GET',
      `${this.#world}/things`,
    );
    return things.filter(({ mark }) => mark === effect.id);
  }

  async apply(effect: Effect) {
    const [found] = await this.#find(effect);
    if (found) return { id: found.id };
    const { id } = await call<{ id: string }>('POST', `${this.#world}/things`, {
      name: effect.reference,
      mark: effect.id,
    });
    await this.#tick(`make ${effect.reference}`);
    return { id };
  }

  async observe(effect: Effect): Promise<Observation> {
    const found = await this.#find(effect);
    return {
      state: found.length ? 'present' : 'absent',
      observedAt: new Date().toISOString(),
    };
  }

  async remove(effect: Effect) {
    for (const { id } of await this.#find(effect)) {
      await call('DELETE', `${this.#world}/things/${id}`);
      await this.#tick(`delete ${effect.reference}`);
    }
    return { outcome: 'done' as const };
  }
}

/** The part of the registry that the handler and the run use, over HTTP. */
function remoteRegistry(world: string, tick: Tick): CiRegistryService {
  const find = async (ref: string) => {
    const all = await call<Record<string, any>>('GET', `${world}/entities`);
    return all[ref];
  };
  return {
    getEntity: find,
    async push({ source, entities = [], removed = [] }) {
      for (const entity of entities) {
        const ref = `component:default/${entity.metadata.name}`;
        await call('PUT', `${world}/entities`, {
          entityRef: ref,
          source,
          state: 'active',
        });
        await tick(`register ${ref}`);
      }
      for (const ref of removed) {
        await call('PUT', `${world}/entities`, {
          ...(await find(ref)),
          state: 'gone',
        });
        await tick(`give up ${ref}`);
      }
      return { gone: removed, warnings: [] } as never;
    },
  } as Partial<CiRegistryService> as CiRegistryService;
}

/** A ledger over the run's database, as a started backend has one. */
export async function openRun(run: LedgerRun, tick: Tick = async () => {}) {
  const db = createKnex({
    client: 'better-sqlite3',
    connection: join(run.directory, 'test.sqlite'),
    useNullAsDefault: true,
  });
  await db.migrate.latest({
    directory: join(__dirname, '..', '..', 'migrations'),
  });
  const quiet = () => {};
  const logger: any = { info: quiet, warn: quiet, error: quiet };
  const auth: any = {
    isPrincipal: () => false,
    getOwnServiceCredentials: async () => ({}),
  };
  const auditor: any = {
    createEvent: async () => ({ success: quiet, fail: quiet }),
  };
  const access = new Access({
    auth,
    permissions: {} as any,
    userInfo: {} as any,
  });
  const host = ticking(
    new GitHost(join(run.directory, 'git')),
    'git',
    ['create', 'remove'],
    tick,
  );
  await host.prepare();
  const repositories = new RepositoryService({
    store: ticking(
      new DatabaseRepositoryStore(db),
      'git',
      ['insertRepository', 'setArchived', 'deleteRepository'],
      tick,
    ),
    services: { get: async () => undefined } as any,
    host,
    access,
    catalog: {} as any,
    discovery: { getExternalBaseUrl: async () => 'http://portal' } as any,
  });
  const registry = remoteRegistry(run.world, tick);
  const handlers = new EffectHandlers();
  handlers.add(new GitRepositoryHandler({ repositories, host, access, auth }));
  handlers.add(
    new CatalogEntityHandler({ registry, catalog: {} as any, auth }),
  );
  handlers.add(new RemoteThingHandler(run.world, tick));
  const store = ticking(
    new DatabaseEffectStore(db),
    'ledger',
    ['insert', 'claim', 'change'],
    tick,
  );
  const ledger = new DefaultEffectLedger({
    store,
    handlers,
    preflight: {} as any,
    auditor,
    logger,
    leaseMs: 300,
  });

  const effect = (
    type: string,
    reference: string,
    intent: JsonObject,
  ): EffectRequest => ({
    type,
    reference,
    subject: SUBJECT,
    owner: OWNER,
    run: RUN,
    step: type,
    intent,
  });

  return {
    ledger,
    db,
    /** What the steps of a template do; each can be repeated. */
    async carryOut() {
      const { commit } = run;
      await ledger.perform(effect('git.repository', NAME, { commit }), actor);
      const bare = (await host.find(NAME))!;
      const [head] = await host.heads(NAME);
      if (head?.commit !== commit) {
        await git([
          `--git-dir=${join(run.source, '.git')}`,
          'push',
          '--quiet',
          bare,
          `${commit}:refs/heads/main`,
        ]);
        await tick('git push');
      }
      await ledger.perform(effect('remote.thing', 'alerts', {}), actor);
      await ledger.perform(effect('remote.thing', 'dashboard', {}), actor);
      const entry = effect('catalog.entity', SUBJECT, {
        repository: NAME,
        commit,
      });
      await ledger.expect(entry, actor);
      await registry.push(
        {
          source: { repository: NAME, commit, time: '2026-11-21T12:00:00Z' },
          entities: [{ kind: 'Component', metadata: { name: NAME } } as any],
        },
        { credentials: {} as any },
      );
      await ledger.perform(entry, actor);
    },
    /** As the operation `undo` does it: backwards, until nothing is under way. */
    async undo() {
      const effects = await ledger.list({ run: RUN });
      for (const { id } of effects.reverse()) {
        while (
          (await ledger.remove(id, 'undo', actor)).effect.state === 'undoing'
        );
      }
    },
    async close() {
      await ledger.close();
      await db.destroy();
    },
  };
}
