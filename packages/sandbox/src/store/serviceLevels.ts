import { entityGuid } from './applications';

/** What counts as a good request of a service level. */
export type ServiceLevelIndicatorKind =
  | { sli: 'availability' }
  | { sli: 'latency'; thresholdMs: number };

/** A service level of an application, as NerdGraph shows it. */
export interface ServiceLevel {
  accountId: number;
  /** base64 without padding of `accountId|EXT|SERVICE_LEVEL|id`. */
  guid: string;
  id: string;
  name: string;
  /** The application that it is attached to. */
  applicationGuid: string;
  appName: string;
  /** Set when it counts the requests of one critical path only. */
  path?: string;
  indicator: ServiceLevelIndicatorKind;
  /** Percent. */
  target: number;
  windowDays: number;
  /** Epoch milliseconds; it has counts from then on. */
  createdAt: number;
}

/** Service levels of all accounts. Ids are made from their order, so that they are the same in every run. */
export class ServiceLevels {
  private readonly levels: ServiceLevel[] = [];

  add(level: Omit<ServiceLevel, 'guid' | 'id'>): ServiceLevel {
    const id = String(600001 + this.levels.length);
    const added = {
      ...level,
      id,
      guid: entityGuid(level.accountId, 'EXT', 'SERVICE_LEVEL', id),
    };
    this.levels.push(added);
    return added;
  }

  list(): readonly ServiceLevel[] {
    return this.levels;
  }

  ofApplication(guid: string): ServiceLevel[] {
    return this.levels.filter(level => level.applicationGuid === guid);
  }
}

/** NRQL condition of the requests that count. */
export function validWhere({ appName, path }: ServiceLevel): string {
  const literal = (text: string) => `'${text.replace(/[\\']/g, '\\$&')}'`;
  return `appName = ${literal(appName)}${
    path === undefined ? '' : ` AND criticalPath = ${literal(path)}`
  }`;
}

/** NRQL condition of the good ones among them. */
export function goodWhere({ indicator }: ServiceLevel): string {
  return indicator.sli === 'latency'
    ? `duration <= ${indicator.thresholdMs / 1000}`
    : 'numeric(http.statusCode) < 500 OR http.statusCode IS NULL';
}
