import type { BackstageCredentials } from '@backstage/backend-plugin-api';
import { ConflictError, InputError, NotFoundError } from '@backstage/errors';
import type {
  Environment,
  EnvironmentState,
} from '@rocket/plugin-provisioning-common';
import type { Access } from '../service/Access';
import type {
  DeployEnvironment,
  EnvironmentDirectory,
} from './EnvironmentDirectory';
import type { EnvironmentRecord, EnvironmentStore } from './EnvironmentStore';
import type { EnvironmentSettings, OnDemandSettings } from './settings';

/** States in which something can still be deployed, and time can be added. */
const STANDING: readonly EnvironmentState[] = [
  'provisioning',
  'ready',
  'sleeping',
  'expiring',
  'failed',
];

/** All environments: those of the configuration, and those that people made. */
export class EnvironmentService implements EnvironmentDirectory {
  readonly #settings: EnvironmentSettings;
  readonly #store: EnvironmentStore;
  readonly #access: Access;
  readonly #now: () => number;

  constructor(deps: {
    settings: EnvironmentSettings;
    store: EnvironmentStore;
    access: Access;
    /** Milliseconds since 1970. */
    now?: () => number;
  }) {
    this.#settings = deps.settings;
    this.#store = deps.store;
    this.#access = deps.access;
    this.#now = deps.now ?? Date.now;
  }

  async find(name: string): Promise<DeployEnvironment | undefined> {
    const configured = this.#settings.configured.get(name);
    if (configured) return configured;
    const record = await this.#store.get(name);
    if (!record || record.state === 'deleted') return undefined;
    const { settings } = this.#settings.onDemand;
    return {
      name,
      title: name,
      runtime: record.runtime,
      tier: 'development',
      onDemand: true,
      settings,
    };
  }

  /** Those of the configuration first. */
  async list(): Promise<Environment[]> {
    const records = await this.#store.list();
    return [
      ...[...this.#settings.configured.values()].map(
        ({ name, title, runtime, tier }) => ({ name, title, runtime, tier }),
      ),
      ...records.map(record => this.toEnvironment(record)),
    ];
  }

  /** @throws NotFoundError; what was deleted is shown until its name is taken again. */
  async get(name: string): Promise<Environment> {
    const configured = this.#settings.configured.get(name);
    if (configured) {
      const { title, runtime, tier } = configured;
      return { name, title, runtime, tier };
    }
    return this.toEnvironment(await this.#get(name));
  }

  /** Adds time, as often and as long as the configuration allows. */
  async extend(
    name: string,
    credentials: BackstageCredentials,
  ): Promise<Environment> {
    if (this.#settings.configured.has(name)) {
      throw new InputError(
        `The environment '${name}' is one of the configuration; it does not end`,
      );
    }
    const record = await this.#get(name);
    await this.#access.requireOwner(credentials, record.owner);
    const { extensionMs, maxTtlMs } = this.#settings.onDemand;
    if (!STANDING.includes(record.state)) {
      throw new ConflictError(
        `The environment '${name}' is ${record.state}; its time cannot be extended`,
      );
    }
    if (record.extensionsLeft < 1) {
      throw new ConflictError(
        `The environment '${name}' was extended as often as allowed; it ends ${record.expiresAt}`,
      );
    }
    const end = Math.min(
      Math.max(Date.parse(record.expiresAt), this.#now()) + extensionMs,
      Date.parse(record.createdAt) + maxTtlMs,
    );
    if (end <= Date.parse(record.expiresAt)) {
      throw new ConflictError(
        `The environment '${name}' stands as long as allowed; it ends ${record.expiresAt}`,
      );
    }
    const changed = await this.#store.change(
      name,
      {
        expiresAt: new Date(end).toISOString(),
        extensionsLeft: record.extensionsLeft - 1,
        noticed: false,
        ...(record.state === 'expiring' ? { state: 'ready' } : {}),
      },
      [record.state],
      record.expiresAt,
    );
    if (!changed) {
      throw new ConflictError(
        `The environment '${name}' has just changed; look at it and try again`,
      );
    }
    return this.get(name);
  }

  toEnvironment(record: EnvironmentRecord): Environment {
    return {
      name: record.name,
      title: `${record.branch} of ${record.subject}`,
      runtime: record.runtime,
      tier: 'development',
      onDemand: {
        state: record.state,
        message: record.message,
        owner: record.owner,
        subject: record.subject,
        branch: record.branch,
        commit: record.commit,
        requestedBy: record.requestedBy,
        createdAt: record.createdAt,
        expiresAt: record.expiresAt,
        extensionsLeft: record.extensionsLeft,
        cost: costOf(this.#settings.onDemand),
        url: record.url,
      },
    };
  }

  async #get(name: string): Promise<EnvironmentRecord> {
    const record = await this.#store.get(name);
    if (!record) throw new NotFoundError(`There is no environment '${name}'`);
    return record;
  }
}

/** What one costs while it stands. */
export function costOf({
  costPerDay: perDay,
  currency,
}: Pick<OnDemandSettings, 'costPerDay' | 'currency'>) {
  return perDay === undefined
    ? {
        note: 'What it costs is not configured; delete it when nobody needs it',
      }
    : {
        note: `About ${perDay}${
          currency ? ` ${currency}` : ''
        } for each day that it stands`,
        perDay,
        currency,
      };
}
