import type { SandboxAccount, ServiceLevel } from '../store/EventStore';
import { entityGuid } from '../store/applications';
import type {
  ManagedObjects,
  ManagedServiceLevel,
} from '../store/ManagedObjects';
import { goodWhere, validWhere } from '../store/serviceLevels';
import { nerdGraphError, validationError, type Invalid } from './errors';

type Json = Record<string, any>;

/** A service level, wherever it comes from, with its events as they are defined. */
interface Level extends ManagedServiceLevel {
  appName: string;
  /** Tag of those that the scenario made. */
  category?: string;
}

/** Service levels of one account: those of the scenario and those made through NerdGraph. */
export class ServiceLevelDefinitions {
  constructor(
    private readonly options: {
      managed: ManagedObjects;
      account: SandboxAccount;
      scenario: () => readonly ServiceLevel[];
      /** Name of an application of this account. */
      applicationName: (guid: string) => string | undefined;
      now: number;
    },
  ) {}

  list(): Level[] {
    const { managed, account, scenario, applicationName } = this.options;
    return [
      ...scenario()
        .filter(({ accountId }) => accountId === account.id)
        .map(fromScenario),
      ...managed.state.serviceLevels
        .filter(({ accountId }) => accountId === account.id)
        .map(level => ({
          ...level,
          appName: applicationName(level.applicationGuid) ?? '',
        })),
    ];
  }

  /** The shape of `serviceLevel { indicators }`; null, not empty, when there are none. */
  indicatorsOf(applicationGuid: string) {
    const levels = this.list().filter(
      level => level.applicationGuid === applicationGuid,
    );
    return levels.length > 0
      ? levels.map(level => indicatorOf(level, this.options.account))
      : null;
  }

  async create({ entityGuid: guid, indicator }: Json) {
    const { managed, account, applicationName, now } = this.options;
    if (applicationName(guid) === undefined) {
      throw nerdGraphError(`Entity not found: ${guid}`, 'BAD_USER_INPUT');
    }
    this.check(indicator);
    const id = managed.newId();
    const created: ManagedServiceLevel = {
      accountId: account.id,
      id,
      guid: entityGuid(account.id, 'EXT', 'SERVICE_LEVEL', id),
      applicationGuid: guid,
      name: indicator.name,
      description: indicator.description ?? null,
      events: indicator.events,
      objectives: indicator.objectives ?? [],
      createdAt: now,
    };
    managed.state.serviceLevels.push(created);
    await managed.save();
    return this.show(created);
  }

  async update({ guid, id, indicator }: Json) {
    const found = this.find(guid, id);
    const changed = {
      ...found,
      ...Object.fromEntries(
        Object.entries(indicator).filter(([, value]) => value !== undefined),
      ),
      events: indicator.events
        ? { accountId: found.events.accountId, ...indicator.events }
        : found.events,
    };
    this.check(changed);
    Object.assign(found, changed);
    await this.options.managed.save();
    return this.show(found);
  }

  async delete({ guid, id }: Json) {
    const { managed } = this.options;
    const found = this.find(guid, id);
    managed.state.serviceLevels = managed.state.serviceLevels.filter(
      level => level !== found,
    );
    managed.setTags(found.guid, new Map());
    await managed.save();
    return this.show(found);
  }

  private show(level: ManagedServiceLevel) {
    const { account, applicationName } = this.options;
    const appName = applicationName(level.applicationGuid) ?? '';
    return indicatorOf({ ...level, appName }, account);
  }

  private find(guid?: string, id?: string): ManagedServiceLevel {
    const { managed, account } = this.options;
    const found = managed.state.serviceLevels.find(
      level =>
        level.accountId === account.id &&
        (level.guid === guid || (!guid && level.id === id)),
    );
    if (!found) {
      throw nerdGraphError(
        `Service level not found: ${guid ?? id}`,
        'BAD_USER_INPUT',
      );
    }
    return found;
  }

  private check({ name, events, objectives }: Json) {
    const wrong: Invalid[] = [];
    if (String(name).trim() === '' || name.length > 255) {
      wrong.push({ name: 'name', reason: 'must have 1 to 255 characters' });
    }
    if (Boolean(events.goodEvents) === Boolean(events.badEvents)) {
      wrong.push({
        name: 'events',
        reason: 'either goodEvents or badEvents must be given, not both',
      });
    }
    if (events.accountId !== this.options.account.id) {
      wrong.push({ name: 'events.accountId', reason: 'no access to it' });
    }
    (objectives ?? []).forEach(
      ({ target, timeWindow }: Json, index: number) => {
        if (
          !(target > 0 && target <= 100) ||
          Math.abs(target * 1e5 - Math.round(target * 1e5)) > 1e-6
        ) {
          wrong.push({
            name: `objectives.${index}.target`,
            reason: 'must be above 0, at most 100, with at most 5 decimals',
          });
        }
        if (![1, 7, 28].includes(timeWindow.rolling.count)) {
          wrong.push({
            name: `objectives.${index}.timeWindow.rolling.count`,
            reason: 'must be 1, 7 or 28',
          });
        }
      },
    );
    if (wrong.length > 0) throw validationError(wrong);
  }
}

function fromScenario(level: ServiceLevel): Level {
  return {
    accountId: level.accountId,
    guid: level.guid,
    id: level.id,
    applicationGuid: level.applicationGuid,
    appName: level.appName,
    name: level.name,
    description: null,
    category: level.indicator.sli,
    createdAt: level.createdAt,
    events: {
      accountId: level.accountId,
      validEvents: { from: 'Transaction', where: validWhere(level) },
      goodEvents: { from: 'Transaction', where: goodWhere(level) },
      badEvents: null,
    },
    objectives: [
      {
        name: null,
        description: null,
        target: level.target,
        timeWindow: { rolling: { count: level.windowDays, unit: 'DAY' } },
      },
    ],
  };
}

/** A service level in the shape of `serviceLevel { indicators }`. */
function indicatorOf(level: Level, account: SandboxAccount) {
  const sum = (name: string) => `sum(newrelic.sli.${name})`;
  const metric = (select: string) => ({
    nrql: `SELECT ${select} FROM Metric WHERE entity.guid = '${level.guid}' UNTIL 2 minutes AGO`,
  });
  const good = level.events.badEvents
    ? `(${sum('valid')} - ${sum('bad')})`
    : sum('good');
  const share = `clamp_max(${good} / ${sum('valid')} * 100, 100) AS 'SLI'`;
  return {
    id: level.id,
    guid: level.guid,
    name: level.name,
    description: level.description,
    entityGuid: level.applicationGuid,
    createdAt: level.createdAt,
    events: {
      account: { id: account.id, name: account.name },
      validEvents: level.events.validEvents,
      goodEvents: level.events.goodEvents ?? null,
      badEvents: level.events.badEvents ?? null,
    },
    objectives: level.objectives.map(objective => ({
      name: null,
      description: null,
      ...objective,
      resultQueries: {
        attainment: {
          nrql: `${metric(share).nrql} SINCE ${
            objective.timeWindow.rolling.count
          } DAY AGO`,
        },
      },
    })),
    resultQueries: {
      indicator: metric(share),
      goodEvents: metric(`${good} AS 'Good events'`),
      validEvents: metric(`${sum('valid')} AS 'Valid events'`),
    },
  };
}

/** The tags that New Relic puts on a service level. */
export function serviceLevelTags(level: Level) {
  const [objective] = level.objectives;
  return Object.entries({
    ...(objective
      ? {
          'nr.sloPeriod': `${objective.timeWindow.rolling.count}d`,
          'nr.sloTarget': `${objective.target}%`,
        }
      : {}),
    'nr.associatedEntityGuid': level.applicationGuid,
    'nr.associatedEntityName': level.appName,
    'nr.associatedEntityType': 'APM-APPLICATION',
    ...(level.category ? { category: level.category } : {}),
  }).map(([key, value]) => ({ key, values: [value] }));
}
