import type { SandboxAccount, ServiceLevel } from '../store/EventStore';
import { goodWhere, validWhere } from '../store/serviceLevels';

/** A service level in the shape of `serviceLevel { indicators }`. */
export function indicatorOf(level: ServiceLevel, account: SandboxAccount) {
  const sum = (name: string) => `sum(newrelic.sli.${name})`;
  const metric = (select: string) => ({
    nrql: `SELECT ${select} FROM Metric WHERE entity.guid = '${level.guid}' UNTIL 2 minutes AGO`,
  });
  const share = `clamp_max(${sum('good')} / ${sum(
    'valid',
  )} * 100, 100) AS 'SLI'`;
  return {
    id: level.id,
    guid: level.guid,
    name: level.name,
    description: null,
    entityGuid: level.applicationGuid,
    createdAt: level.createdAt,
    events: {
      account: { id: account.id, name: account.name },
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
        resultQueries: {
          attainment: {
            nrql: `${metric(share).nrql} SINCE ${level.windowDays} DAY AGO`,
          },
        },
      },
    ],
    resultQueries: {
      indicator: metric(share),
      goodEvents: metric(`${sum('good')} AS 'Good events'`),
      validEvents: metric(`${sum('valid')} AS 'Valid events'`),
    },
  };
}

/** The tags that New Relic puts on a service level. */
export function serviceLevelTags(level: ServiceLevel) {
  return Object.entries({
    'nr.sloPeriod': `${level.windowDays}d`,
    'nr.sloTarget': `${level.target}%`,
    'nr.associatedEntityGuid': level.applicationGuid,
    'nr.associatedEntityName': level.appName,
    'nr.associatedEntityType': 'APM-APPLICATION',
    category: level.indicator.sli,
  }).map(([key, value]) => ({ key, values: [value] }));
}
