/** `npm run contract`: writes down what the code says: contracts/openapi.yaml and docs/errors.md. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { readConfig } from '../src/config.ts';
import { Database } from '../src/db/database.ts';
import { buildApp } from '../src/http/app.ts';
import { createLogger } from '../src/logger.ts';
import { noTelemetry } from '../src/telemetry-api.ts';

export const ROOT = join(import.meta.dirname, '..');

/** The OpenAPI document of the service as YAML; no database is touched. */
export async function openApiText(): Promise<string> {
  const config = readConfig({ DATABASE_URL: 'postgresql://nobody@localhost/none', LOG_LEVEL: 'silent' });
  const database = new Database(config, () => {});
  const app = await buildApp({
    config,
    database,
    telemetry: noTelemetry,
    lifecycle: { draining: false },
    logger: createLogger(config),
  });
  const document = JSON.parse(JSON.stringify(app.swagger()));
  await app.close();
  await database.close();
  return stringify(document, { lineWidth: 0, aliasDuplicateObjects: false });
}

export type CatalogueEntry = { code: string; status: number; title: string; meaning: string; remedy: string };

export function readCatalogue(text: string): CatalogueEntry[] {
  return parse(text) as CatalogueEntry[];
}

/** The page that the `type` of an error leads to; each heading is the code, so its anchor is the code as well. */
export function errorsPage(catalogue: CatalogueEntry[]): string {
  const sections = catalogue.map(
    ({ code, status, title, meaning, remedy }) =>
      `## ${code}\n\n**${title}** (HTTP ${status})\n\n${meaning}\n\nWhat to do: ${remedy}\n`,
  );
  return [
    '# Errors\n',
    'Errors are problem details ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)) with the media type',
    '`application/problem+json`. Decide by `code`, show `detail` to people, quote `traceId` in reports.\n',
    'This page is written by `npm run contract` from `contracts/problems.yaml`.\n',
    ...sections,
  ].join('\n');
}

if (process.argv[1] === import.meta.filename) {
  await writeFile(join(ROOT, 'contracts/openapi.yaml'), await openApiText());
  const catalogue = readCatalogue(await readFile(join(ROOT, 'contracts/problems.yaml'), 'utf8'));
  await writeFile(join(ROOT, 'docs/errors.md'), errorsPage(catalogue));
}
