import { z } from 'zod';
import { commitSchema, entityRefSchema, line, timeSchema } from './fields';
import {
  apiDocumentReportSchema,
  buildReportSchema,
  deploymentReportSchema,
} from './reportSchemas';

/**
 * One spelling for one repository: no trailing slash, no `.git`, the host in lower case.
 * Throws when the URL carries credentials, because it ends up in annotations.
 */
export function normalizeRepository(repository: string): string {
  let text = repository.trim();
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
    let url: URL;
    try {
      url = new URL(text);
    } catch {
      throw new Error('is not a valid URL');
    }
    if (url.username || url.password) {
      throw new Error('must not carry credentials; leave out the user part');
    }
    if (url.search || url.hash) {
      throw new Error('must end with the path; leave out the query');
    }
    text = `${url.protocol}//${url.host}${url.pathname}`;
  }
  text = text.replace(/\/+$/, '').replace(/\.git$/, '');
  if (!text) {
    throw new Error('is empty');
  }
  return text;
}

const MAX_ANCESTORS = 500;

/** Shape of `PushSource`; the repository comes out normalized. */
export const pushSourceSchema = z.strictObject({
  repository: line(500).transform((value, ctx) => {
    try {
      return normalizeRepository(value);
    } catch (error) {
      ctx.addIssue({ code: 'custom', message: (error as Error).message });
      return z.NEVER;
    }
  }),
  commit: commitSchema,
  branch: line(255).optional(),
  ancestors: z
    .array(commitSchema)
    .max(MAX_ANCESTORS, `must hold at most ${MAX_ANCESTORS} commits`)
    .optional(),
  pipeline: line(500).optional(),
  time: timeSchema,
});

const entitySchema = z.record(z.string(), z.unknown(), {
  error: 'must be an entity (an object with apiVersion, kind, metadata)',
});

/** Shape of `RegisterRequest`; what an entity is, is checked by the registry itself. */
export const registerRequestSchema = z.strictObject({
  source: pushSourceSchema,
  entities: z.array(entitySchema).min(1, 'must hold at least one entity'),
});

const MAX_REPORTS = 100;

const reports = <T extends z.ZodType>(schema: T) =>
  z
    .array(schema)
    .max(MAX_REPORTS, `must hold at most ${MAX_REPORTS}; split the push`)
    .optional();

/** Shape of `PushRequest`; what an entity is, is checked by the registry itself. */
export const pushRequestSchema = z
  .strictObject({
    source: pushSourceSchema,
    entities: z.array(entitySchema).optional(),
    complete: z.boolean().optional(),
    removed: z
      .array(entityRefSchema('component'))
      .max(1000, 'must hold at most 1000; split the push')
      .optional(),
    builds: reports(buildReportSchema),
    deployments: reports(deploymentReportSchema),
    documents: reports(apiDocumentReportSchema),
    final: z.enum(['job', 'run'], { error: 'must be job or run' }).optional(),
  })
  .refine(
    request =>
      request.complete === true ||
      request.final !== undefined ||
      [
        request.entities,
        request.removed,
        request.builds,
        request.deployments,
        request.documents,
      ].some(list => list && list.length > 0),
    'says nothing; give entities, removed, builds, deployments or documents',
  );
