import { InputError } from '@backstage/errors';
import type { JsonObject } from '@backstage/types';
import { z } from 'zod';
import type { Settings } from './config';

/** Characters that are in no application's name, and that NRQL cannot take. */
const UNSAFE = /[\p{C}\p{Zl}\p{Zp}]/u;

const line = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .refine(
      value => !UNSAFE.test(value) && value.trim() === value,
      'must be one line without control characters and blanks around it',
    );

const objectiveSchema = z
  .strictObject({
    sli: z.enum(['availability', 'latency']),
    /** Percent. 100 would leave no error budget, so no burn rate. */
    target: z.number().min(50).lt(100),
    windowDays: z.union([z.literal(1), z.literal(7), z.literal(28)], {
      error: 'must be 1, 7 or 28: New Relic knows no other windows',
    }),
    thresholdMs: z.number().positive().max(600_000).optional(),
  })
  .refine(
    ({ target }) => Math.abs(target * 1e5 - Math.round(target * 1e5)) < 1e-6,
    { message: 'must have at most 5 decimals', path: ['target'] },
  )
  .refine(
    ({ sli, thresholdMs }) =>
      (sli === 'latency') === (thresholdMs !== undefined),
    {
      message: 'belongs to latency, which needs it, and to nothing else',
      path: ['thresholdMs'],
    },
  );

export const objectivesSchema = z
  .array(objectiveSchema)
  .min(1)
  .max(6)
  .refine(
    objectives =>
      new Set(objectives.map(o => `${o.sli} ${o.thresholdMs} ${o.windowDays}`))
        .size === objectives.length,
    'two are about the same figure and window',
  );

const thresholdsSchema = z.strictObject({
  /** Percent of failed requests. */
  errorRatePercent: z.number().positive().max(100),
  /** Milliseconds of the 95th percentile. */
  latencyMs: z.number().min(1).max(600_000),
  noTrafficMinutes: z.number().int().min(1).max(2880),
  /** Requests a minute. */
  minimumRequests: z.number().int().min(1).max(100_000),
});

export type Objective = z.infer<typeof objectiveSchema>;
export type Thresholds = z.infer<typeof thresholdsSchema>;

const target = {
  /** Alias in `newrelic.accounts`. Default: as configured. */
  account: line(100).optional(),
  /** `appName` of the service in New Relic. */
  appName: line(200),
};

const TAG_KEY = /^[A-Za-z][A-Za-z0-9_.-]{0,126}$/;

const alertPolicySchema = z.strictObject({
  ...target,
  objectives: objectivesSchema,
  thresholds: thresholdsSchema,
  runbookUrl: z
    .url({ protocol: /^https?$/ })
    .max(1000)
    .optional(),
});
const serviceLevelsSchema = z.strictObject({
  ...target,
  objectives: objectivesSchema,
});
const dashboardSchema = z.strictObject({
  ...target,
  objectives: objectivesSchema,
});
const tagsSchema = z.strictObject({
  ...target,
  tags: z
    .record(
      z.string().regex(TAG_KEY, 'must be letters, digits and _ . -'),
      line(256).refine(value => !value.includes(':'), 'must be without :'),
    )
    .refine(
      tags => Object.keys(tags).length > 0 && Object.keys(tags).length <= 20,
      'must have 1 to 20 tags',
    ),
});

export type AlertPolicyIntent = z.infer<typeof alertPolicySchema>;
export type ServiceLevelsIntent = z.infer<typeof serviceLevelsSchema>;
export type DashboardIntent = z.infer<typeof dashboardSchema>;
export type TagsIntent = z.infer<typeof tagsSchema>;

/** @throws InputError that names each field. */
export function parseOrThrow<T extends z.ZodType>(
  schema: T,
  value: unknown,
  at: string,
): z.infer<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new InputError(
    result.error.issues
      .map(({ path, message }) => `${[at, ...path].join('.')}: ${message}`)
      .join('; '),
  );
}

/** Reads intents and fills in what the configuration says. What they say is complete, so a later change of it is seen as one. */
export class IntentReader {
  constructor(
    private readonly settings: Pick<
      Settings,
      'account' | 'objectives' | 'thresholds'
    >,
  ) {}

  alertPolicy(intent: JsonObject): AlertPolicyIntent {
    const { thresholds } = this.settings;
    return this.read(alertPolicySchema, {
      ...this.withObjectives(intent),
      thresholds: {
        ...thresholds,
        ...(intent.thresholds as JsonObject | undefined),
      },
    });
  }

  serviceLevels(intent: JsonObject): ServiceLevelsIntent {
    return this.read(serviceLevelsSchema, this.withObjectives(intent));
  }

  dashboard(intent: JsonObject): DashboardIntent {
    return this.read(dashboardSchema, this.withObjectives(intent));
  }

  tags(intent: JsonObject): TagsIntent {
    return this.read(tagsSchema, intent);
  }

  private withObjectives(intent: JsonObject) {
    return { objectives: this.settings.objectives, ...intent };
  }

  private read<T extends z.ZodType>(schema: T, intent: object): z.infer<T> {
    const { account } = this.settings;
    return parseOrThrow(
      schema,
      { ...(account ? { account } : {}), ...intent },
      'intent',
    );
  }
}
