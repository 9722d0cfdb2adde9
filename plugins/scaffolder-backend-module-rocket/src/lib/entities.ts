import { readFile, stat } from 'node:fs/promises';
import { dirname, relative, resolve } from 'node:path';
import { resolveSafeChildPath } from '@backstage/backend-plugin-api';
import { stringifyEntityRef, type Entity } from '@backstage/catalog-model';
import { InputError } from '@backstage/errors';
import type { JsonObject, JsonValue } from '@backstage/types';
import { parse, parseAllDocuments } from 'yaml';
import { reasonOf } from './explain';

const MAX_FILE_BYTES = 2 * 1024 * 1024;
const MAX_DEPTH = 40;

/** How `$text`, `$json` and `$yaml` turn a file into a value. */
const PLACEHOLDERS: Record<string, (text: string) => JsonValue> = {
  $text: text => text,
  $json: text => JSON.parse(text),
  $yaml: text => parse(text),
};

async function readWorkspaceFile(
  workspacePath: string,
  path: string,
): Promise<string> {
  const file = resolveSafeChildPath(workspacePath, path);
  const { size } = await stat(file);
  if (size > MAX_FILE_BYTES) {
    throw new Error(`is larger than ${MAX_FILE_BYTES} bytes`);
  }
  return readFile(file, 'utf8');
}

/** Puts the content of workspace files in the place of `{ $text: ./file }`. */
class Inliner {
  readonly #workspacePath: string;
  readonly #folder: string;

  constructor(workspacePath: string, catalogInfoPath: string) {
    this.#workspacePath = workspacePath;
    this.#folder = dirname(resolve(workspacePath, catalogInfoPath));
  }

  async inline(value: JsonValue, path: string, depth = 0): Promise<JsonValue> {
    if (!value || typeof value !== 'object') {
      return value;
    }
    if (depth > MAX_DEPTH) {
      throw new InputError(`${path} is nested deeper than ${MAX_DEPTH} levels`);
    }
    if (Array.isArray(value)) {
      const items: JsonValue[] = [];
      for (const [index, item] of value.entries()) {
        items.push(await this.inline(item, `${path}.${index}`, depth + 1));
      }
      return items;
    }
    const [key, ...others] = Object.keys(value);
    if (key && !others.length && Object.hasOwn(PLACEHOLDERS, key)) {
      return this.#read(key, value[key], path);
    }
    const result: JsonObject = {};
    for (const [name, item] of Object.entries(value)) {
      if (item !== undefined) {
        result[name] = await this.inline(item, `${path}.${name}`, depth + 1);
      }
    }
    return result;
  }

  async #read(
    placeholder: string,
    target: JsonValue | undefined,
    path: string,
  ): Promise<JsonValue> {
    if (typeof target !== 'string' || /^[a-z][a-z0-9+.-]*:/i.test(target)) {
      throw new InputError(
        `${path}: ${placeholder} must name a file of the workspace; nothing is fetched from elsewhere`,
      );
    }
    try {
      const text = await readWorkspaceFile(
        this.#workspacePath,
        relative(this.#workspacePath, resolve(this.#folder, target)),
      );
      return PLACEHOLDERS[placeholder](text);
    } catch (error) {
      throw new InputError(
        `${path}: cannot read ${target}: ${describe(error)}`,
      );
    }
  }
}

function describe(error: unknown): string {
  return (error as NodeJS.ErrnoException)?.code === 'ENOENT'
    ? 'there is no such file'
    : reasonOf(error);
}

/**
 * The entities of a `catalog-info.yaml` in the workspace, complete in themselves.
 * `InputError` names the document and the field.
 */
export async function readEntities(
  workspacePath: string,
  catalogInfoPath: string,
): Promise<Entity[]> {
  let text: string;
  try {
    text = await readWorkspaceFile(workspacePath, catalogInfoPath);
  } catch (error) {
    throw new InputError(
      `path: cannot read ${catalogInfoPath}: ${describe(error)}`,
    );
  }
  const inliner = new Inliner(workspacePath, catalogInfoPath);
  const entities: Entity[] = [];
  for (const [index, document] of parseAllDocuments(text).entries()) {
    const at = `${catalogInfoPath}, document ${index + 1}`;
    if (document.errors.length) {
      throw new InputError(`${at}: ${document.errors[0].message}`);
    }
    let value: JsonValue;
    try {
      value = document.toJS({ maxAliasCount: 100 });
    } catch (error) {
      throw new InputError(`${at}: ${reasonOf(error)}`);
    }
    if (value === null || value === undefined) {
      continue;
    }
    const entity = (await inliner.inline(value, at)) as unknown as Entity;
    if (
      typeof entity.kind !== 'string' ||
      typeof entity.apiVersion !== 'string' ||
      typeof entity.metadata?.name !== 'string'
    ) {
      throw new InputError(
        `${at}: is not an entity; it needs apiVersion, kind and metadata.name`,
      );
    }
    entities.push(entity);
  }
  if (!entities.length) {
    throw new InputError(`${catalogInfoPath}: holds no entity`);
  }
  return entities;
}

/** The one to link to: the first Component, else the first of all. */
export function mainEntityRef(entities: Entity[]): string {
  return stringifyEntityRef(
    entities.find(entity => entity.kind.toLowerCase() === 'component') ??
      entities[0],
  );
}
