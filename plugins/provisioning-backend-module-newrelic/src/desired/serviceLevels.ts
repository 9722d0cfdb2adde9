import { describeObjective } from '@rocket/plugin-critical-paths-common';
import type { Objective, ServiceLevelsIntent } from '../intents';
import { appWhere, goodWhere } from './conditions';

/** A service level, as NerdGraph takes it but for the account of its events. */
export interface ServiceLevel {
  name: string;
  description: string;
  events: {
    validEvents: { from: string; where: string };
    goodEvents: { from: string; where: string };
  };
  objectives: [
    {
      target: number;
      timeWindow: { rolling: { count: number; unit: 'DAY' } };
    },
  ];
}

function nameOf({ sli, thresholdMs, windowDays }: Objective): string {
  const over = windowDays === 1 ? '1 day' : `${windowDays} days`;
  return sli === 'latency'
    ? `Latency within ${thresholdMs} ms over ${over}`
    : `Availability over ${over}`;
}

/** One service level per objective; their names differ. */
export function desiredServiceLevels(
  intent: ServiceLevelsIntent,
  mark: string,
): ServiceLevel[] {
  return intent.objectives.map(objective => ({
    name: nameOf(objective),
    description: `${mark}${describeObjective(objective)}.`,
    events: {
      validEvents: { from: 'Transaction', where: appWhere(intent.appName) },
      goodEvents: {
        from: 'Transaction',
        // Good events are a part of the valid ones.
        where: `${appWhere(intent.appName)} AND (${goodWhere(objective)})`,
      },
    },
    objectives: [
      {
        target: objective.target,
        timeWindow: { rolling: { count: objective.windowDays, unit: 'DAY' } },
      },
    ],
  }));
}
