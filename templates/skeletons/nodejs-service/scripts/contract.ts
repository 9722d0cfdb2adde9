/** `npm run contract`: writes docs/errors.md from contracts/problems.yaml, and shows the API as the code has it. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { buildApp } from '../src/platform/http/app.ts';
import { createRuntime } from '../src/platform/runtime.ts';
import { definition } from '../src/service.ts';

export const ROOT = join(import.meta.dirname, '..');

/** The OpenAPI document of the service as YAML; no database is touched. */
export async function openApiText(): Promise<string> {
  const runtime = createRuntime(definition, {
    DATABASE_URL: 'postgresql://nobody@localhost/none',
    LOG_LEVEL: 'silent',
  });
  const app = await buildApp({ ...runtime, lifecycle: { draining: false } });
  const document = JSON.parse(JSON.stringify(app.swagger()));
  await app.close();
  await runtime.close();
  return stringify(document, { lineWidth: 0, aliasDuplicateObjects: false });
}

export type CatalogueEntry = {
  code: string;
  status: number;
  title: string;
  meaning: string;
  remedy: string;
  services: string[];
};

/** The errors of this kind of service. */
export async function readCatalogue(): Promise<CatalogueEntry[]> {
  const all = parse(await readFile(join(ROOT, 'contracts/problems.yaml'), 'utf8')) as CatalogueEntry[];
  return all.filter(entry => entry.services.includes(definition.kind));
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
  await writeFile(join(ROOT, 'docs/errors.md'), errorsPage(await readCatalogue()));
  console.log(await openApiText());
}
