import { parseEntityRef } from '@backstage/catalog-model';
import type { JsonObject } from '@backstage/types';
import {
  type CriticalPathObjective,
  describeObjective,
} from '@rocket/plugin-critical-paths-common';
import type {
  NewRelicPlan,
  NewRelicPlanRequest,
} from '@rocket/plugin-provisioning-common';
import { z } from 'zod';
import type { Settings } from './config';
import { desiredConditions } from './desired/conditions';
import { desiredServiceLevels } from './desired/serviceLevels';
import { IntentReader, type Objective, objectivesSchema } from './intents';
import { markOf, nameOf } from './mark';

const entityRef = z
  .string()
  .max(250)
  .refine(
    value => {
      try {
        parseEntityRef(value);
        return /^[a-zA-Z]+:[A-Za-z0-9._-]+\/[A-Za-z0-9._-]+$/.test(value);
      } catch {
        return false;
      }
    },
    { message: 'must be a full entity ref: kind:namespace/name' },
  );

export const planRequestSchema = z.strictObject({
  name: z
    .string()
    .regex(
      /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
      'must be lower-case letters, digits and hyphens, at most 63',
    ),
  subject: entityRef,
  owner: entityRef,
  environment: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'must be a DNS label')
    .optional(),
  account: z.string().min(1).max(100).optional(),
  appName: z.string().min(1).max(200).optional(),
  criticalPath: entityRef.optional(),
  businessModel: entityRef.optional(),
  objectives: objectivesSchema.optional(),
  runbookUrl: z
    .url({ protocol: /^https?$/ })
    .max(1000)
    .optional(),
});

/** Values of tags have no colon; as the labels that Rocket gives to agents. */
const tagValue = (ref: string) => ref.replaceAll(':', '/');

/**
 * Objectives of a path as those of one of its services: New Relic knows no
 * throughput and no 30 days, and no budget at 100 %.
 */
export function objectivesOfPath(
  objectives: readonly CriticalPathObjective[],
): Objective[] {
  const all = objectives.flatMap<Objective>(
    ({ sli, target, windowDays, thresholdMs }) =>
      sli !== 'throughput' && target >= 50 && target < 100
        ? [
            {
              sli,
              target,
              windowDays: windowDays === 30 ? 28 : windowDays,
              ...(sli === 'latency' ? { thresholdMs } : {}),
            },
          ]
        : [],
  );
  return objectivesSchema.safeParse(all).success ? all : [];
}

/** What would be made for a service, complete and checked. @throws InputError that names the field. */
export function makePlan(
  request: NewRelicPlanRequest,
  options: {
    settings: Settings;
    /** Of the critical path, if the catalog has it. */
    pathObjectives: readonly CriticalPathObjective[];
  },
): NewRelicPlan {
  const { settings } = options;
  if (settings.disabled) {
    return {
      skipped: `Nothing is made in New Relic: ${settings.disabled}`,
      effects: [],
      summary: [],
    };
  }
  const reader = new IntentReader(settings);
  const { name, subject, owner, environment, criticalPath, businessModel } =
    request;
  const ofPath = objectivesOfPath(options.pathObjectives);
  const objectives = request.objectives ?? (ofPath.length ? ofPath : undefined);
  const target = {
    ...(request.account ? { account: request.account } : {}),
    appName: request.appName ?? name,
  };
  const measured = {
    ...target,
    ...(objectives
      ? { objectives: objectives as unknown as JsonObject[] }
      : {}),
  };
  const policy = reader.alertPolicy({
    ...measured,
    ...(request.runbookUrl ? { runbookUrl: request.runbookUrl } : {}),
  });
  const levels = reader.serviceLevels(measured);
  const dashboard = reader.dashboard(measured);
  const tags = reader.tags({
    ...target,
    tags: {
      managedBy: 'rocket',
      component: tagValue(subject),
      owner: tagValue(owner),
      team: parseEntityRef(owner).name,
      ...(criticalPath
        ? { criticalPath: parseEntityRef(criticalPath).name }
        : {}),
      ...(businessModel
        ? { businessModel: parseEntityRef(businessModel).name }
        : {}),
    },
  });
  const reference = environment ? `${name} in ${environment}` : name;
  const effect = (type: string, intent: object) => ({
    type,
    reference,
    subject,
    owner,
    ...(environment ? { environment } : {}),
    intent: intent as JsonObject,
  });
  const mark = markOf({ subject });
  const conditions = desiredConditions(policy, mark);
  return {
    effects: [
      effect('newrelic.alert-policy', policy),
      effect('newrelic.dashboard', dashboard),
      effect('newrelic.service-levels', levels),
      effect('newrelic.tags', tags),
    ],
    summary: [
      `alert policy '${nameOf({ reference })}' with ${
        conditions.length
      } conditions: ${conditions.map(made => made.name).join(', ')}`,
      `dashboard '${nameOf({ reference })}'`,
      `service levels of '${
        target.appName
      }', after its first telemetry: ${desiredServiceLevels(levels, mark)
        .map(
          (level, index) =>
            `${level.name} (${describeObjective(levels.objectives[index])})`,
        )
        .join(', ')}`,
      `tags of '${target.appName}', after its first telemetry: ${Object.entries(
        tags.tags,
      )
        .map(([key, value]) => `${key}=${value}`)
        .join(', ')}`,
    ],
  };
}
