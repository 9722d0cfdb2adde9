import { InputError } from '@backstage/errors';
import { z } from 'zod';
import { faultSchema, isOneShot } from './faults';

/** The longest time that a fault may last, in seconds: what lasts longer is an outage, not an experiment. */
export const MAX_DURATION_SECONDS = 600;

const NAME = '[a-zA-Z0-9](?:[-_.a-zA-Z0-9]{0,61}[a-zA-Z0-9])?';

const entityRef = (kind: string) =>
  z
    .string()
    .regex(
      new RegExp(`^${kind}:${NAME}/${NAME}$`, 'i'),
      `must be a full entity ref: ${kind}:namespace/name`,
    );

/**
 * One bound of a steady state, over an SLI of a critical path.
 *
 * - `availability`: at least `bound` percent of events are good
 * - `latency`: at least `bound` percent of requests take at most `thresholdMs`
 * - `throughput`: at least `bound` requests per minute
 */
export const criterionSchema = z
  .strictObject({
    /** Entity ref of the CriticalPath. */
    criticalPath: entityRef('criticalpath'),
    sli: z.enum(['availability', 'latency', 'throughput']),
    bound: z.number().gt(0, 'must be above 0'),
    thresholdMs: z.number().gt(0, 'must be above 0 ms').optional(),
    /** A breach of what is not critical is noted and fails nothing. */
    critical: z.boolean().default(true),
  })
  .superRefine((criterion, context) => {
    if (criterion.sli !== 'throughput' && criterion.bound > 100) {
      context.addIssue({
        code: 'custom',
        path: ['bound'],
        message: 'must be at most 100 percent',
      });
    }
    if (
      (criterion.sli === 'latency') !==
      (criterion.thresholdMs !== undefined)
    ) {
      context.addIssue({
        code: 'custom',
        path: ['thresholdMs'],
        message:
          criterion.sli === 'latency'
            ? 'is needed: the longest good request in milliseconds'
            : `must be left out: it belongs to latency, not to ${criterion.sli}`,
      });
    }
  });
export type Criterion = z.infer<typeof criterionSchema>;

/** A steady-state hypothesis: what stays true although something breaks. */
export const hypothesisSchema = z.strictObject({
  /** For people: `While the ledger is down, cards are still authorized`. */
  text: z.string().trim().min(1, 'must say what stays true').max(1_000),
  criteria: z
    .array(criterionSchema)
    .min(1, 'must name at least one SLI with its bound')
    .max(10)
    .refine(
      criteria => criteria.some(({ critical }) => critical),
      'must have at least one critical criterion: without one nothing can fail',
    ),
});
export type Hypothesis = z.infer<typeof hypothesisSchema>;

/** What is broken, of which path, and where. */
export const targetSchema = z.strictObject({
  criticalPath: entityRef('criticalpath'),
  /** Name of the step. */
  step: z.string().min(1).max(63),
  component: entityRef('component'),
  /** Name of the environment; its tier must be staging or development. */
  environment: z.string().min(1).max(63),
});
export type Target = z.infer<typeof targetSchema>;

/** How wide the fault may reach. */
export const blastRadiusSchema = z.strictObject({
  /** Share of the target's instances, in percent; rounded up to whole instances. */
  percent: z
    .number()
    .gt(0, 'must be above 0 percent')
    .max(100, 'must be at most 100 percent'),
  /** Whether no instance may be left untouched: the hypothesis is about losing all of it. */
  totalLoss: z.boolean().default(false),
});
export type BlastRadius = z.infer<typeof blastRadiusSchema>;

/** When the fault is taken away before its time. A burn that starts and a source that goes blind always end it. */
export const abortRuleSchema = z.strictObject({
  /** Breached minutes of a critical criterion after which it ends; absent: the fast burn alone. */
  breachedMinutes: z.number().int().min(1).max(60).optional(),
});

/** How long the steady state may take to return. */
export const recoverySchema = z.strictObject({
  /** Recovery objective, in seconds after the fault has ended. */
  withinSeconds: z.number().int().min(60).max(3_600).default(600),
  /** Minutes in a row that must be good before it counts as recovered. */
  stableMinutes: z.number().int().min(1).max(30).default(3),
});
export type Recovery = z.infer<typeof recoverySchema>;

export const experimentSchema = z
  .strictObject({
    title: z.string().trim().min(1).max(200),
    hypothesis: hypothesisSchema,
    fault: faultSchema,
    target: targetSchema,
    blastRadius: blastRadiusSchema,
    /** How long the fault lasts, in seconds; left out for what happens once. */
    durationSeconds: z
      .number()
      .int('must be a whole number of seconds')
      .min(30, 'must be at least 30 seconds: the SLIs are read by the minute')
      .max(
        MAX_DURATION_SECONDS,
        `must be at most ${MAX_DURATION_SECONDS} seconds`,
      )
      .optional(),
    abort: abortRuleSchema.prefault({}),
    recovery: recoverySchema.prefault({}),
    /** Events per minute below which a minute says nothing. */
    minimumEventsPerMinute: z.number().int().min(1).default(5),
  })
  .superRefine((experiment, context) => {
    const needs = !isOneShot(experiment.fault);
    if (needs !== (experiment.durationSeconds !== undefined)) {
      context.addIssue({
        code: 'custom',
        path: ['durationSeconds'],
        message: needs
          ? 'is needed: how long the fault lasts, in seconds'
          : `must be left out: the fault '${experiment.fault.type}' happens once`,
      });
    }
  });

/** An experiment with all of its defaults. */
export type Experiment = z.infer<typeof experimentSchema>;

/**
 * Checks an experiment that somebody designed.
 *
 * @throws InputError that names each field and what it must be
 */
export function parseExperiment(input: unknown): Experiment {
  const result = experimentSchema.safeParse(input);
  if (result.success) return result.data;
  throw new InputError(
    result.error.issues
      .slice(0, 10)
      .map(issue => `${issue.path.join('.') || 'experiment'}: ${issue.message}`)
      .join('; '),
  );
}
