import { z } from 'zod';
import {
  commitSchema,
  countSchema,
  digestSchema,
  entityRefSchema,
  line,
  linkSchema,
  timeSchema,
} from './fields';

const MAX_COMMITS = 500;
const MAX_ITEMS = 200;

const few = <T extends z.ZodType>(schema: T, max = MAX_ITEMS) =>
  z.array(schema).max(max, `must hold at most ${max}`);

/** Refuses a second item of the same name, of which one would be lost. */
const distinct =
  <T>(nameOf: (item: T) => string) =>
  (items: T[], ctx: z.RefinementCtx<T[]>) => {
    const seen = new Set<string>();
    items.forEach((item, index) => {
      const name = nameOf(item);
      if (seen.has(name)) {
        ctx.addIssue({
          code: 'custom',
          path: [index],
          message: `${name} is given twice`,
        });
      }
      seen.add(name);
    });
  };

const coverageCountsSchema = z
  .strictObject({ covered: countSchema, total: countSchema })
  .refine(({ covered, total }) => covered <= total, {
    path: ['covered'],
    error: 'must not be more than total',
  });

const commitReportSchema = z.strictObject({
  sha: commitSchema,
  time: timeSchema,
  subject: line(500).optional(),
  author: line(200).optional(),
});

const artifactSchema = z.strictObject({
  type: z.enum(['container-image', 'package', 'archive', 'file']),
  name: line(500),
  digest: digestSchema,
  tag: line(200).optional(),
  sbom: z
    .strictObject({
      format: z.enum(['cyclonedx', 'spdx']),
      digest: digestSchema,
      url: linkSchema.optional(),
      components: countSchema.optional(),
    })
    .optional(),
});

const suiteSchema = z.strictObject({
  name: line(200),
  passed: countSchema,
  failed: countSchema,
  skipped: countSchema,
  duration: z
    .number({ error: 'must be a number of seconds' })
    .min(0, 'must not be negative')
    .optional(),
});

const scanSchema = z.strictObject({
  tool: line(200),
  critical: countSchema,
  high: countSchema,
  medium: countSchema,
  low: countSchema,
  unknown: countSchema,
  fixable: countSchema.optional(),
});

const inOrder = {
  path: ['finishedAt'],
  error: 'must not be before startedAt',
};

function endsAfterStart(report: {
  startedAt?: string;
  finishedAt?: string;
}): boolean {
  return (
    report.startedAt === undefined ||
    report.finishedAt === undefined ||
    Date.parse(report.startedAt) <= Date.parse(report.finishedAt)
  );
}

/** Shape of `BuildReport`; entity refs come out in full. */
export const buildReportSchema = z
  .strictObject({
    component: entityRefSchema('component'),
    version: line(200).optional(),
    startedAt: timeSchema.optional(),
    finishedAt: timeSchema.optional(),
    outcome: z.enum(['running', 'succeeded', 'failed', 'cancelled']).optional(),
    commits: few(commitReportSchema, MAX_COMMITS)
      .superRefine(distinct(commit => commit.sha))
      .optional(),
    artifacts: few(artifactSchema)
      .superRefine(distinct(item => `${item.name}@${item.digest}`))
      .optional(),
    coverage: z
      .strictObject({
        lines: coverageCountsSchema.optional(),
        branches: coverageCountsSchema.optional(),
        functions: coverageCountsSchema.optional(),
      })
      .optional(),
    tests: few(suiteSchema)
      .superRefine(distinct(suite => suite.name))
      .optional(),
    scans: few(scanSchema)
      .superRefine(distinct(scan => scan.tool))
      .optional(),
    url: linkSchema.optional(),
  })
  .refine(endsAfterStart, inOrder);

/** Shape of `DeploymentReport`; entity refs come out in full. */
export const deploymentReportSchema = z
  .strictObject({
    id: line(200),
    component: entityRefSchema('component'),
    environment: line(63).regex(
      /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/,
      'must be letters, digits and - _ . between them',
    ),
    version: line(200).optional(),
    commit: commitSchema.optional(),
    digest: digestSchema.optional(),
    startedAt: timeSchema,
    finishedAt: timeSchema.optional(),
    outcome: z.enum([
      'in-progress',
      'succeeded',
      'failed',
      'rolled-back',
      'cancelled',
    ]),
    reason: z.string().trim().min(1).max(2000).optional(),
    replaced: z
      .strictObject({ version: line(200).optional(), commit: commitSchema })
      .optional(),
    commits: few(commitReportSchema, MAX_COMMITS)
      .superRefine(distinct(commit => commit.sha))
      .optional(),
    remediates: few(line(200)).optional(),
    url: linkSchema.optional(),
  })
  .refine(endsAfterStart, inOrder)
  .refine(
    report =>
      report.outcome === 'in-progress'
        ? report.finishedAt === undefined
        : report.finishedAt !== undefined,
    {
      path: ['finishedAt'],
      error:
        'must be given when the outcome is final, and only then (in-progress has none)',
    },
  );

/** Shape of `ApiDocumentReport`; entity refs come out in full. */
export const apiDocumentReportSchema = z.strictObject({
  api: entityRefSchema('api').refine(ref => ref.startsWith('api:'), {
    error: 'must be of kind api',
  }),
  component: entityRefSchema('component'),
  format: z.enum(['openapi', 'asyncapi', 'graphql', 'grpc']),
  definition: z.string().min(1, 'must not be empty'),
});
