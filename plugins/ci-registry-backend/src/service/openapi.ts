import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { resolvePackagePath } from '@backstage/backend-plugin-api';
import { parse } from 'yaml';

type Document = Record<string, any>;

/** The first one has what all share; the others add paths and components. */
const MAIN = 'openapi.yaml';

function add(target: Document, source: Document, where: string): void {
  for (const [key, value] of Object.entries(source)) {
    if (key in target) {
      throw new Error(`${where} describes ${key} a second time`);
    }
    target[key] = value;
  }
}

/** The description of all routes: `openapi.yaml` and the parts beside it, merged. */
export async function loadOpenApi(): Promise<Document> {
  const folder = resolvePackagePath(
    '@rocket/plugin-ci-registry-backend',
    'src/schema',
  );
  const read = async (name: string): Promise<Document> =>
    parse(await readFile(join(folder, name), 'utf8'));
  const document = await read(MAIN);
  const parts = (await readdir(folder)).filter(
    name => name.endsWith('.yaml') && name !== MAIN,
  );
  for (const name of parts.sort()) {
    const { paths = {}, components = {} } = await read(name);
    add(document.paths, paths, name);
    for (const [group, items] of Object.entries(components)) {
      document.components[group] ??= {};
      add(document.components[group], items as Document, name);
    }
  }
  return document;
}
