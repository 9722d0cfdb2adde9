import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';

/** Names of applications, paths and steps. */
const name = z
  .string()
  .regex(
    /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
    'must be lower-case letters, digits and dashes, at most 63',
  );
const probability = z.number().min(0).max(1);
const timeOfDay = z
  .string()
  .regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time such as "09:30"');
const minutes = z.number().int().min(1).max(1440);

export const WEEKDAYS = [
  'monday',
  'tuesday',
  'wednesday',
  'thursday',
  'friday',
  'saturday',
  'sunday',
] as const;

const weekly = z.strictObject({ weekday: z.enum(WEEKDAYS), at: timeOfDay });
const anchored = z.strictObject({
  daysAgo: z.number().int().min(0).max(60),
  at: timeOfDay,
  repeatEveryDays: z.number().int().min(1).max(365).default(14),
});
const when = z.union([weekly, anchored], {
  error:
    'must be {weekday: monday..sunday, at: "HH:MM"} or {daysAgo, at: "HH:MM", repeatEveryDays}',
});

const stepSchema = z.strictObject({
  step: name,
  application: name,
  transaction: z.string().min(1).max(255),
  /** Step that calls this one. Default: the entry step. */
  calledBy: name.optional(),
  /** Part of the path's requests that reach the step. */
  share: probability.default(1),
  /** The caller does not wait for it. */
  async: z.boolean().default(false),
  /** The step's own time, without the steps it calls; log-normal. */
  latency: z
    .strictObject({
      medianMs: z.number().positive().max(60_000),
      p99Ms: z.number().positive().max(120_000),
    })
    .refine(l => l.p99Ms > l.medianMs, {
      message: 'p99Ms must be greater than medianMs',
    }),
  /** Part of the requests that fail with 500 by the step's own fault. */
  errorRate: probability.default(0),
  /** Part of the requests that end with a 4xx status; not errors. */
  clientErrorShare: probability.default(0),
  clientErrors: z
    .array(z.string().regex(/^4\d\d$/, 'must be a 4xx status in quotes'))
    .min(1)
    .default(['400', '404']),
  status: z
    .string()
    .regex(/^2\d\d$/, 'must be a 2xx status in quotes')
    .default('200'),
});

const scenarioSchema = z.strictObject({
  seed: z.string().min(1),
  timeZone: z.string().refine(isTimeZone, {
    message: 'is not a known time zone; use a name such as Europe/Berlin',
  }),
  historyDays: z.number().int().min(0).max(90).default(30),
  applications: z.record(
    name,
    z.strictObject({
      language: z.enum(['go', 'java', 'nodejs', 'python', 'dotnet']),
      /** Requests that one stored event stands for. */
      weight: z.number().int().min(1).max(1000),
      team: name,
    }),
  ),
  shapes: z.record(name, z.array(z.number().min(0).max(20)).length(24)),
  paths: z.record(
    name,
    z.strictObject({
      /** At the entry step, where the daily shape is 1. */
      requestsPerMinute: z.number().positive().max(100_000),
      shape: name,
      weekendFactor: z.number().min(0).max(10).default(1),
      /** Ordered; the first one is the entry step. */
      steps: z.array(stepSchema).min(1).max(30),
    }),
  ),
  /** Service levels that somebody set up in New Relic. */
  serviceLevels: z
    .array(
      z
        .strictObject({
          name: z.string().min(1).max(255),
          application: name,
          /** Only requests of this path. Default: all requests of the application. */
          path: name.optional(),
          sli: z.enum(['availability', 'latency']),
          /** latency: a request at most this long is good. */
          thresholdMs: z.number().positive().max(60_000).optional(),
          /** Percent. */
          target: z.number().positive().max(100),
          windowDays: z.union([z.literal(1), z.literal(7), z.literal(28)]),
        })
        .refine(
          level =>
            (level.sli === 'latency') === (level.thresholdMs !== undefined),
          { message: 'thresholdMs belongs to latency, and to nothing else' },
        ),
    )
    .default([]),
  events: z
    .strictObject({
      deployments: z
        .array(
          z.strictObject({
            application: name,
            when,
            /** Follows the version that is made of the day. */
            versionSuffix: z
              .string()
              .regex(/^[-.+][A-Za-z0-9.+-]{1,40}$/, 'must begin with - . or +')
              .optional(),
            description: z.string().min(1).max(1024).optional(),
            user: z.string().min(1).max(128).default('pipeline'),
            /** How it was told: by the older Deployment event, or as an event of change tracking. */
            tracking: z.enum(['deployment', 'event']).default('deployment'),
          }),
        )
        .default([]),
      slowdowns: z
        .array(
          z.strictObject({
            application: name,
            when,
            durationMinutes: minutes,
            latencyFactor: z.number().min(1).max(100),
          }),
        )
        .default([]),
      incidents: z
        .array(
          z.strictObject({
            application: name,
            when,
            durationMinutes: minutes,
            errorRate: probability,
            latencyFactor: z.number().min(1).max(100).default(1),
            detectedAfterMinutes: z.number().int().min(0).max(60).default(3),
            condition: z.string().min(1).max(128),
            policy: z.string().min(1).max(128),
            priority: z.enum(['critical', 'warning']).default('critical'),
            /** Why it ends, in New Relic's words. */
            closeCause: z
              .enum([
                'EVALUATOR',
                'USER',
                'EXPIRED',
                'CONDITION_DELETED',
                'CONDITION_DISABLED',
                'CONDITION_MODIFIED',
                'POLICY_DELETED',
              ])
              .default('EVALUATOR'),
          }),
        )
        .default([]),
    })
    .prefault({}),
});

/** The contents of a traffic scenario file, checked and with defaults filled in. */
export type TrafficScenario = z.infer<typeof scenarioSchema>;
export type ScenarioWhen = z.infer<typeof when>;

/** A scenario that cannot be used; the message lists each wrong field. */
export class ScenarioError extends Error {
  override name = 'ScenarioError';
}

/** Reads and checks a scenario file. Throws `ScenarioError` naming the file and each wrong field. */
export async function loadScenario(path: string): Promise<TrafficScenario> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new ScenarioError(
      `The traffic scenario ${path} cannot be read: ${
        (error as Error).message
      }`,
    );
  }
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    throw new ScenarioError(
      `The traffic scenario ${path} is not valid YAML: ${
        (error as Error).message
      }`,
    );
  }
  return parseScenario(value, path);
}

/** Checks a parsed scenario. Throws `ScenarioError` naming each wrong field. */
export function parseScenario(
  value: unknown,
  source = 'scenario',
): TrafficScenario {
  const parsed = scenarioSchema.safeParse(value);
  const problems = parsed.success
    ? crossReferences(parsed.data)
    : parsed.error.issues.map(
        issue => `${issue.path.join('.') || '(top level)'}: ${issue.message}`,
      );
  if (!parsed.success || problems.length) {
    throw new ScenarioError(
      `The traffic scenario ${source} is not valid:\n  ${problems.join(
        '\n  ',
      )}`,
    );
  }
  return parsed.data;
}

function crossReferences(scenario: TrafficScenario): string[] {
  const problems: string[] = [];
  const knowsApplication = (application: string, at: string) => {
    if (!Object.hasOwn(scenario.applications, application)) {
      problems.push(`${at}: "${application}" is not in applications`);
    }
  };
  for (const [pathName, path] of Object.entries(scenario.paths)) {
    const at = `paths.${pathName}`;
    if (!Object.hasOwn(scenario.shapes, path.shape)) {
      problems.push(`${at}.shape: "${path.shape}" is not in shapes`);
    }
    const seen = new Map<string, number>();
    path.steps.forEach((step, index) => {
      const stepAt = `${at}.steps.${index}`;
      knowsApplication(step.application, `${stepAt}.application`);
      if (seen.has(step.step)) {
        problems.push(`${stepAt}.step: "${step.step}" is used twice`);
      }
      if (index === 0) {
        if (step.calledBy || step.share !== 1) {
          problems.push(
            `${stepAt}: the entry step has neither calledBy nor a share`,
          );
        }
      } else {
        const caller = step.calledBy ?? path.steps[0].step;
        const callerShare = seen.get(caller);
        if (callerShare === undefined) {
          problems.push(
            `${stepAt}.calledBy: "${caller}" is not an earlier step of this path`,
          );
        } else if (step.share > callerShare) {
          problems.push(
            `${stepAt}.share: ${step.share} is more than that of its caller "${caller}" (${callerShare})`,
          );
        }
      }
      seen.set(step.step, step.share);
    });
  }
  scenario.serviceLevels.forEach((level, index) => {
    const at = `serviceLevels.${index}`;
    knowsApplication(level.application, `${at}.application`);
    if (
      level.path !== undefined &&
      !Object.hasOwn(scenario.paths, level.path)
    ) {
      problems.push(`${at}.path: "${level.path}" is not in paths`);
    }
  });
  for (const [kind, events] of Object.entries(scenario.events)) {
    events.forEach((event, index) =>
      knowsApplication(
        event.application,
        `events.${kind}.${index}.application`,
      ),
    );
  }
  return problems;
}

function isTimeZone(zone: string): boolean {
  try {
    return Boolean(new Intl.DateTimeFormat('en', { timeZone: zone }));
  } catch {
    return false;
  }
}
