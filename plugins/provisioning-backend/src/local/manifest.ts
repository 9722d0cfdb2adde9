import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '@backstage/errors';
import { parse } from 'yaml';
import { z } from 'zod';

const FILE = 'rocket.yaml';
const MAX_BYTES = 64 * 1024;

const argv = z
  .array(z.string().min(1).max(4096))
  .min(1, 'must name a program')
  .max(64);

const path = z
  .string()
  .max(500)
  .regex(
    /^\/(?!\/)[A-Za-z0-9._~\-/]*$/,
    'must be a path that begins with / and has only letters, digits and . _ ~ - /',
  );

const schema = z.strictObject({
  apiVersion: z.literal('rocket.internal/v1alpha1'),
  kind: z.literal('Runtime'),
  spec: z.strictObject({
    language: z.string().min(1).max(63),
    install: argv.optional(),
    migrate: argv.optional(),
    /** Fills the database of an environment on demand, after each migration there; it can be repeated. */
    seed: argv.optional(),
    start: argv,
    health: z.strictObject({ live: path, ready: path }),
    docs: path.optional(),
    database: z.literal('postgresql').optional(),
  }),
});

/** `rocket.yaml`: how a repository wants to be run. Commands are argument lists; there is no shell. */
export type RuntimeManifest = z.infer<typeof schema>['spec'];

/** @throws InputError naming the field. */
export function parseManifest(text: string): RuntimeManifest {
  let document: unknown;
  try {
    document = parse(text, { maxAliasCount: 20 });
  } catch (error) {
    throw new InputError(
      `${FILE} is not valid YAML: ${(error as Error).message.split('\n')[0]}`,
    );
  }
  const result = schema.safeParse(document ?? {});
  if (!result.success) {
    const problems = result.error.issues
      .slice(0, 5)
      .map(
        issue => `${issue.path.join('.') || 'the document'}: ${issue.message}`,
      );
    throw new InputError(`${FILE} is not right: ${problems.join('; ')}`);
  }
  const { spec } = result.data;
  if (spec.migrate && !spec.database) {
    throw new InputError(
      `${FILE} is not right: spec.migrate: needs spec.database: postgresql`,
    );
  }
  if (spec.seed && !spec.database) {
    throw new InputError(
      `${FILE} is not right: spec.seed: needs spec.database: postgresql`,
    );
  }
  return spec;
}

/** Reads the manifest of a checkout. */
export async function readManifest(
  directory: string,
): Promise<RuntimeManifest> {
  const file = join(directory, FILE);
  const stat = await lstat(file).catch(() => undefined);
  // A symbolic link could lead out of the checkout.
  if (!stat?.isFile()) {
    throw new InputError(
      `The repository has no file ${FILE} at its root; it says how the service is started`,
    );
  }
  if (stat.size > MAX_BYTES) {
    throw new InputError(`${FILE} is larger than ${MAX_BYTES} bytes`);
  }
  return parseManifest(await readFile(file, 'utf8'));
}
