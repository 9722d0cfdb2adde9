import { nrql, nrqlString } from '@rocket/newrelic-node';
import type { TelemetryApplication } from '@rocket/plugin-critical-paths-node';
import { MAX_NRQL_LENGTH } from './planQueries';

/** What LIMIT MAX means for rows that are not aggregated. */
export const MAX_EVENTS = 5_000;

export const EVENT_TYPES = [
  'Deployment',
  'ChangeTrackingEvent',
  'NrAiIncident',
] as const;
export type ChangeEventType = (typeof EVENT_TYPES)[number];

/** One NRQL query about what happened to these applications. */
export interface ChangeQuery {
  type: ChangeEventType;
  nrql: string;
  applications: TelemetryApplication[];
  /** Epoch milliseconds. */
  from: number;
  to: number;
}

const COLUMNS: Record<ChangeEventType, string[]> = {
  Deployment: [
    'timestamp',
    'entity.name',
    'deploymentId',
    'version',
    'commit',
    'user',
    'description',
    'deepLink',
  ],
  ChangeTrackingEvent: [
    'timestamp',
    'entity.name',
    'changeTrackingId',
    'version',
    'commit',
    'user',
    'shortDescription',
    'description',
    'deepLink',
  ],
  NrAiIncident: [
    'timestamp',
    'entity.name',
    'event',
    'incidentId',
    'title',
    'priority',
    'conditionName',
    'policyName',
    'muted',
    'openTime',
    'closeTime',
    'degradationTime',
    'recoveryTime',
    'closeCause',
    'incidentLink',
  ],
};

/** Writes the query of one type of events; SINCE is inclusive and UNTIL exclusive. */
export function writeChangeQuery(
  type: ChangeEventType,
  applications: TelemetryApplication[],
  from: number,
  to: number,
): ChangeQuery {
  const names = [...new Set(applications.map(({ appName }) => appName))];
  const columns = nrql.join(COLUMNS[type].map(name => nrql.id(name)));
  // Every other category of change (a feature flag, an operation) is no deployment.
  // LIKE does not tell upper from lower case.
  const only =
    type === 'ChangeTrackingEvent'
      ? nrql` AND category LIKE ${'deployment'}`
      : nrql``;
  return {
    type,
    applications,
    from,
    to,
    nrql: nrql`FROM ${nrql.id(
      type,
    )} SELECT ${columns} WHERE entity.name IN ${names}${only} SINCE ${from} UNTIL ${to} LIMIT MAX`.toString(),
  };
}

/** A name that no query can be written for. */
export function nameFault(appName: string): string | undefined {
  if (appName === '') return 'The application name is empty';
  try {
    nrqlString(appName);
    return undefined;
  } catch {
    return `The application name ${JSON.stringify(
      appName.slice(0, 80),
    )} contains control or invisible characters, so New Relic cannot be asked about it`;
  }
}

/** Applications in groups whose names fit into one query. */
export function groupByLength<T extends { appName: string }>(
  applications: T[],
  write: (group: T[]) => string,
): T[][] {
  const groups: T[][] = [];
  for (const application of [...applications].sort((a, b) =>
    a.appName < b.appName ? -1 : 1,
  )) {
    const group = groups[groups.length - 1];
    if (group && write([...group, application]).length <= MAX_NRQL_LENGTH) {
      group.push(application);
    } else {
      groups.push([application]);
    }
  }
  return groups;
}
