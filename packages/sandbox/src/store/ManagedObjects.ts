import fs from 'node:fs/promises';
import path from 'node:path';
import { entityGuid } from './applications';

export interface AlertPolicy {
  accountId: number;
  id: string;
  name: string;
  incidentPreference: string;
}

export interface AlertCondition {
  accountId: number;
  id: string;
  policyId: string;
  /** As it was given, with New Relic's defaults filled in. */
  definition: Record<string, unknown> & { name: string };
}

export interface Dashboard {
  accountId: number;
  guid: string;
  name: string;
  description: string | null;
  permissions: string;
  pages: Record<string, unknown>[];
  /** ISO 8601. */
  createdAt: string;
  updatedAt: string;
}

/** A NRQL condition on events. */
export interface EventsQuery {
  from: string;
  where?: string | null;
  select?: {
    function: string;
    attribute?: string | null;
    threshold?: number | null;
  } | null;
}

/** A service level that was made through NerdGraph. */
export interface ManagedServiceLevel {
  accountId: number;
  guid: string;
  id: string;
  applicationGuid: string;
  name: string;
  description: string | null;
  events: {
    accountId: number;
    validEvents: EventsQuery;
    goodEvents?: EventsQuery | null;
    badEvents?: EventsQuery | null;
  };
  objectives: {
    name?: string | null;
    description?: string | null;
    target: number;
    timeWindow: { rolling: { count: number; unit: string } };
  }[];
  /** Epoch milliseconds. */
  createdAt: number;
}

/** By GUID of the entity, then by key. */
type Tags = Record<string, Record<string, string[]>>;

interface State {
  nextId: number;
  policies: AlertPolicy[];
  conditions: AlertCondition[];
  dashboards: Dashboard[];
  serviceLevels: ManagedServiceLevel[];
  tags: Tags;
}

const FIRST_ID = 700001;

export const policyGuid = ({ accountId, id }: AlertPolicy) =>
  entityGuid(accountId, 'AIOPS', 'POLICY', id);
export const conditionGuid = ({ accountId, id }: AlertCondition) =>
  entityGuid(accountId, 'AIOPS', 'CONDITION', id);

/**
 * What people and programs made through NerdGraph: alert policies and
 * conditions, dashboards, service levels, and tags of entities. In memory, and
 * written to one file before a change is answered.
 */
export class ManagedObjects {
  state: State = {
    nextId: FIRST_ID,
    policies: [],
    conditions: [],
    dashboards: [],
    serviceLevels: [],
    tags: {},
  };
  private writing: Promise<void> = Promise.resolve();

  constructor(
    /** Without one, all is gone with the process. */
    private readonly file?: string,
  ) {}

  /** Reads what an earlier process wrote. Call once, before anything else. */
  async restore(): Promise<void> {
    if (!this.file) return;
    let text: string;
    try {
      text = await fs.readFile(this.file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw error;
    }
    try {
      this.state = { ...this.state, ...JSON.parse(text) };
    } catch {
      throw new Error(
        `${this.file} is damaged; delete it to begin without the policies, dashboards, service levels and tags in it`,
      );
    }
  }

  newId(): string {
    const id = this.state.nextId;
    this.state.nextId += 1;
    return String(id);
  }

  /** Tags that were put on an entity; those of agents and of New Relic are not among them. */
  tagsOf(guid: string): Map<string, string[]> {
    return new Map(Object.entries(this.state.tags[guid] ?? {}));
  }

  setTags(guid: string, tags: Map<string, string[]>): void {
    if (tags.size > 0) this.state.tags[guid] = Object.fromEntries(tags);
    else delete this.state.tags[guid];
  }

  /** Resolves when the state as it is now is on disk. */
  async save(): Promise<void> {
    const { file } = this;
    if (!file) return;
    const write = this.writing.then(async () => {
      await fs.mkdir(path.dirname(file), { recursive: true });
      await fs.writeFile(`${file}.new`, JSON.stringify(this.state));
      await fs.rename(`${file}.new`, file);
    });
    this.writing = write.catch(() => {});
    await write;
  }

  /** Resolves when nothing is being written any more. */
  async close(): Promise<void> {
    await this.writing;
  }
}
