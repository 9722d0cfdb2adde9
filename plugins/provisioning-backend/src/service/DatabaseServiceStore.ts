import type { Knex } from 'knex';
import type {
  PhaseStatus,
  ServiceState,
} from '@rocket/plugin-provisioning-common';
import type {
  ServicePatch,
  ServiceRecord,
  ServiceStore,
  ServiceVersion,
} from './ServiceStore';

interface VersionRow {
  service: string;
  commit_sha: string;
  image: string | null;
  healthy_at: string;
}

interface ServiceRow {
  name: string;
  entity_ref: string;
  owner: string;
  repository: string;
  critical_path: string | null;
  runtime: string;
  environment: string | null;
  image: string | null;
  replicas: number | null;
  desired: 'running' | 'stopped';
  running_commit: string | null;
  deploy_commit: string | null;
  deploy_status: 'running' | 'done' | 'failed' | null;
  deploy_message: string | null;
  phases: string;
  state: ServiceState;
  message: string | null;
  url: string | null;
  docs_url: string | null;
  database_name: string | null;
  port: number | null;
  restarts: number;
  started_at: string | null;
  created_by: string;
  updated_at: string;
}

const columns: Record<keyof ServiceRecord, keyof ServiceRow> = {
  name: 'name',
  entityRef: 'entity_ref',
  owner: 'owner',
  repository: 'repository',
  criticalPath: 'critical_path',
  runtime: 'runtime',
  environment: 'environment',
  image: 'image',
  replicas: 'replicas',
  desired: 'desired',
  runningCommit: 'running_commit',
  deployCommit: 'deploy_commit',
  deployStatus: 'deploy_status',
  deployMessage: 'deploy_message',
  phases: 'phases',
  state: 'state',
  message: 'message',
  url: 'url',
  docsUrl: 'docs_url',
  database: 'database_name',
  restarts: 'restarts',
  startedAt: 'started_at',
  createdBy: 'created_by',
  updatedAt: 'updated_at',
};

export class DatabaseServiceStore implements ServiceStore {
  readonly #db: Knex;
  readonly #now: () => Date;

  constructor(db: Knex, now: () => Date = () => new Date()) {
    this.#db = db;
    this.#now = now;
  }

  async insert(record: ServiceRecord) {
    const inserted = await this.#db('services')
      .insert(toRow(record))
      .onConflict('name')
      .ignore()
      .returning('name');
    return inserted.length > 0;
  }

  async get(name: string) {
    const row = await this.#db<ServiceRow>('services').where({ name }).first();
    return row && toRecord(row);
  }

  async list() {
    const rows = await this.#db<ServiceRow>('services').orderBy('name');
    return rows.map(toRecord);
  }

  async update(name: string, patch: ServicePatch) {
    await this.#db('services')
      .where({ name })
      .update(toRow({ ...patch, updatedAt: this.#now().toISOString() }));
  }

  async delete(name: string) {
    await this.#db.transaction(async tx => {
      await tx('service_versions').where({ service: name }).delete();
      await tx('services').where({ name }).delete();
    });
  }

  async listVersions(name: string): Promise<ServiceVersion[]> {
    const rows = await this.#db<VersionRow>('service_versions')
      .where({ service: name })
      .orderBy('healthy_at', 'desc')
      .limit(50);
    return rows.map(row => ({
      commit: row.commit_sha,
      image: row.image ?? undefined,
      healthyAt: row.healthy_at,
    }));
  }

  async addVersion(name: string, version: ServiceVersion) {
    await this.#db<VersionRow>('service_versions')
      .insert({
        service: name,
        commit_sha: version.commit,
        image: version.image ?? null,
        healthy_at: version.healthyAt,
      })
      .onConflict(['service', 'commit_sha'])
      .merge(['image', 'healthy_at']);
  }

  async getPort(name: string) {
    const row = await this.#db<ServiceRow>('services').where({ name }).first();
    return row?.port ?? undefined;
  }

  async takePort(name: string, port: number) {
    const holder = await this.#db<ServiceRow>('services')
      .where({ port })
      .first();
    if (holder) return holder.name === name;
    try {
      const updated = await this.#db<ServiceRow>('services')
        .where({ name })
        .update({ port });
      return updated > 0;
    } catch (error) {
      // The unique index decided between two that asked at once.
      if (await this.#db<ServiceRow>('services').where({ port }).first()) {
        return false;
      }
      throw error;
    }
  }

  async releasePort(name: string) {
    await this.#db('services').where({ name }).update({ port: null });
  }

  async listPorts() {
    const rows = await this.#db<ServiceRow>('services').whereNotNull('port');
    return rows.map(row => row.port!);
  }
}

function toRow(patch: Partial<ServiceRecord>): Record<string, unknown> {
  const row: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(patch)) {
    row[columns[key as keyof ServiceRecord]] =
      key === 'phases' ? JSON.stringify(value) : value ?? null;
  }
  return row;
}

function toRecord(row: ServiceRow): ServiceRecord {
  return {
    name: row.name,
    entityRef: row.entity_ref,
    owner: row.owner,
    repository: row.repository,
    criticalPath: row.critical_path ?? undefined,
    runtime: row.runtime,
    environment: row.environment ?? undefined,
    image: row.image ?? undefined,
    replicas: row.replicas ?? undefined,
    desired: row.desired,
    runningCommit: row.running_commit ?? undefined,
    deployCommit: row.deploy_commit ?? undefined,
    deployStatus: row.deploy_status ?? undefined,
    deployMessage: row.deploy_message ?? undefined,
    phases: JSON.parse(row.phases) as PhaseStatus[],
    state: row.state,
    message: row.message ?? undefined,
    url: row.url ?? undefined,
    docsUrl: row.docs_url ?? undefined,
    database: row.database_name ?? undefined,
    restarts: row.restarts,
    startedAt: row.started_at ?? undefined,
    createdBy: row.created_by,
    updatedAt: row.updated_at,
  };
}
