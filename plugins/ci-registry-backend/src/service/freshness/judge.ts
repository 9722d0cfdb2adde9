import {
  parseEntityRef,
  stringifyEntityRef,
  type Entity,
} from '@backstage/catalog-model';
import type { Freshness } from '@rocket/plugin-ci-registry-common';
import type { StoredEntity } from '../../database/EntityStore';
import type { Observation } from '../../database/freshness/FreshnessStore';

const ANNOTATION_ORPHAN = 'backstage.io/orphan';
const ANNOTATION_LOCATION = 'backstage.io/managed-by-location';

/** What the rules go by. Durations in milliseconds. */
export interface Rules {
  now: number;
  maxAgeMs: number;
  notRunningAfterMs: number;
  /** How long what is gone stays in the catalog. */
  graceMs: number;
  /** Names of the providers for people, by id. */
  titles: ReadonlyMap<string, string>;
  /** When each provider answered last, ms since 1970. */
  answers: ReadonlyMap<string, number>;
}

const iso = (time: number) => new Date(time).toISOString();

/** A length of time for people: the largest unit of which there are at least two. */
export function humanAge(ms: number): string {
  const minutes = Math.max(0, Math.floor(ms / 60_000));
  if (minutes < 120) return `${minutes} minute${minutes === 1 ? '' : 's'}`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} hours`;
  return `${Math.floor(hours / 24)} days`;
}

/** What the providers know of one component, in one. */
export interface Life {
  /** True, false when it is known not to run, undefined when nothing was ever seen of it. */
  running?: boolean;
  lastSeenAt?: number;
  /** Id of the provider. */
  source?: string;
  detail?: string;
}

/** One sign of life is enough; without any, what a provider knows to have ended does not run. */
export function lifeOf(
  observations: readonly Observation[],
  rules: Rules,
): Life {
  let life: Life = {};
  for (const one of observations) {
    // Up to its last answer: the silence of a provider says nothing about what it watches.
    const answeredAt = rules.answers.get(one.provider) ?? rules.now;
    const recent =
      one.lastSeenAt !== undefined &&
      answeredAt - one.lastSeenAt <= rules.notRunningAfterMs;
    const running = !one.stopped && recent;
    const newer = (one.lastSeenAt ?? 0) >= (life.lastSeenAt ?? 0);
    if (
      life.running === undefined ||
      (running && !life.running) ||
      (running === life.running && newer)
    ) {
      life = {
        running,
        lastSeenAt: one.lastSeenAt,
        source: one.provider,
        detail: one.detail,
      };
    }
  }
  return life;
}

function ownerOf(entity: Entity): string | undefined {
  const owner = entity.spec?.owner;
  if (typeof owner !== 'string') return undefined;
  try {
    return stringifyEntityRef(
      parseEntityRef(owner, {
        defaultKind: 'group',
        defaultNamespace: entity.metadata.namespace ?? 'default',
      }),
    );
  } catch {
    return undefined;
  }
}

function lifeFields(life: Life, rules: Rules): Partial<Freshness> {
  return {
    lastSeenRunningAt:
      life.lastSeenAt === undefined ? undefined : iso(life.lastSeenAt),
    runningSource:
      life.source && (rules.titles.get(life.source) ?? life.source),
  };
}

function silence(life: Life, rules: Rules): string {
  const where = rules.titles.get(life.source ?? '') ?? life.source;
  return life.lastSeenAt === undefined
    ? `${where} knows it and it never answered`
    : `${where} saw it last ${humanAge(rules.now - life.lastSeenAt)} ago`;
}

/** The state of an entity that was pushed. */
export function judgeRegistered(
  stored: StoredEntity,
  life: Life,
  rules: Rules,
): Freshness {
  const { entityRef, entity, changedBy, lastPushedAt } = stored;
  const common = {
    entityRef,
    owner: ownerOf(entity),
    repository: stored.repository,
    lastPushedAt: iso(lastPushedAt),
    lastChangedAt: iso(stored.changedAt),
    lastChangedCommit: changedBy.commit,
    lastChangedPipeline: changedBy.pipeline,
    ...lifeFields(life, rules),
  };
  const age = rules.now - lastPushedAt;
  if (stored.state !== 'active') {
    const goneAt = stored.goneAt ?? lastPushedAt;
    return {
      ...common,
      state: 'gone',
      removedAt: iso(goneAt + rules.graceMs),
      reason: `${stored.repository} gave it up at ${iso(goneAt)}${
        life.running ? ', though it still runs' : ''
      }. Push it again to keep it; else it leaves the catalog at ${iso(
        goneAt + rules.graceMs,
      )}.`,
    };
  }
  if (life.running === false) {
    return {
      ...common,
      state: 'registered-not-running',
      reason: `It is registered, but nothing runs: ${silence(life, rules)}${
        life.detail ? ` (${life.detail})` : ''
      }. Start or deploy it, or give it up if it was retired.`,
    };
  }
  if (age > rules.maxAgeMs) {
    return {
      ...common,
      state: 'stale',
      reason: `No pipeline of ${stored.repository} confirmed it for ${humanAge(
        age,
      )}; ${humanAge(
        rules.maxAgeMs,
      )} are allowed. Run its pipeline, or remove it from its repository.`,
    };
  }
  return {
    ...common,
    state: 'fresh',
    // No age: what changes by the minute would be written by the minute.
    reason: `A pipeline of ${
      stored.repository
    } confirmed it within the last ${humanAge(rules.maxAgeMs)}.`,
  };
}

/** A place for people. Where a file lies on this server is nobody's business but its operator's: its name has to do. */
function placeOf(location: string): string {
  const file = location.match(/^file:(?:.*[\\/])?([^\\/]+)$/)?.[1];
  return file === undefined ? location : `the file ${file} of the portal`;
}

/** The state of an entity that the catalog has from elsewhere. */
export function judgeUnmanaged(
  entity: Entity,
  life: Life,
  rules: Rules,
): Freshness {
  const annotations = entity.metadata.annotations ?? {};
  const location = placeOf(
    annotations[ANNOTATION_LOCATION] ?? 'an unknown location',
  );
  const orphan = annotations[ANNOTATION_ORPHAN] === 'true';
  return {
    entityRef: stringifyEntityRef(entity),
    owner: ownerOf(entity),
    state: 'unmanaged',
    reason: orphan
      ? `Orphan: nothing in the catalog points to ${location} any more. Register it by a pipeline, or its location again; else delete it.`
      : `The catalog has it from ${location}; no pipeline confirms it. Let the pipeline of its repository push it.`,
    ...lifeFields(life, rules),
  };
}

/** A name that runs, as an entity ref. */
export function refOfName(name: string): string {
  const safe = name
    .toLocaleLowerCase('en-US')
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '')
    .slice(0, 63)
    .replace(/[^a-z0-9]+$/, '');
  return `component:default/${safe || 'unnamed'}`;
}

/** The state of something that runs and that nobody registered. */
export function judgeUnregistered(
  observation: Observation,
  rules: Rules,
): Freshness {
  const life = lifeOf([observation], rules);
  const where = rules.titles.get(observation.provider) ?? observation.provider;
  return {
    entityRef: observation.entityRef ?? refOfName(observation.name),
    state: 'running-unregistered',
    reason: `${where} sees "${observation.name}" running, but the catalog has no component of that name. Register it by its pipeline, or stop it.`,
    ...lifeFields(life, rules),
  };
}
