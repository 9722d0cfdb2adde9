import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import Ajv2020, { type ValidateFunction } from 'ajv/dist/2020';
import addFormats from 'ajv-formats';
import { parse } from 'yaml';

export type ServiceKind = 'transaction' | 'authorization';

/** One error of the catalogue `problems.yaml`. */
export type CatalogueEntry = {
  code: string;
  status: number;
  title: string;
  meaning: string;
  remedy: string;
  services: ServiceKind[];
};

type ResponseSpec = {
  mediaTypes: Map<string, ValidateFunction | undefined>;
  problemCodes: string[];
};

/** One method on one path of the OpenAPI document. */
export type Operation = {
  id: string;
  method: string;
  path: string;
  responses: Map<number, ResponseSpec>;
};

export type Contract = {
  service: ServiceKind;
  document: any;
  operations: Operation[];
  problems: Map<string, CatalogueEntry>;
  /** The operation that answers this request, if there is one. */
  find(method: string, pathname: string): Operation | undefined;
};

/** Where the contracts are unless told otherwise. This package is run from its sources, never from a bundle. */
// eslint-disable-next-line no-restricted-syntax
export const CONTRACTS = path.resolve(__dirname, '../../contracts');

const METHODS = ['get', 'put', 'post', 'delete', 'patch'];

/** `/a/{id}:x` → a regular expression that matches the whole path. */
function pattern(template: string): RegExp {
  const source = template
    .split(/(\{[^}]+\})/)
    .map(part =>
      part.startsWith('{')
        ? '[^/:]+'
        : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'),
    )
    .join('');
  return new RegExp(`^${source}$`);
}

/** Follows one `$ref` inside the document. Throws when it leads nowhere. */
export function resolve(document: any, node: any): any {
  if (typeof node?.$ref !== 'string') return node;
  const target = node.$ref
    .slice(2)
    .split('/')
    .reduce(
      (place: any, name: string) =>
        place?.[name.replaceAll('~1', '/').replaceAll('~0', '~')],
      document,
    );
  if (target === undefined) throw new Error(`${node.$ref} leads nowhere`);
  return resolve(document, target);
}

/** Reads the OpenAPI document and the catalogue of a service. Throws when they contradict themselves. */
export function loadContract(
  service: ServiceKind,
  folder = CONTRACTS,
): Contract {
  // Here the document of a service is in a folder of its own, in a rendered repository beside the catalogue.
  const file = [`${service}-service/openapi.yaml`, 'openapi.yaml']
    .map(name => path.join(folder, name))
    .find(candidate => existsSync(candidate));
  if (!file) throw new Error(`There is no openapi.yaml in ${folder}`);
  const document = parse(readFileSync(file, 'utf8'));
  const catalogue = parse(
    readFileSync(path.join(folder, 'problems.yaml'), 'utf8'),
  ) as CatalogueEntry[];
  const problems = new Map(
    catalogue
      .filter(entry => entry.services.includes(service))
      .map(entry => [entry.code, entry]),
  );

  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats(ajv);
  ajv.addSchema(document, 'openapi');

  const operations: (Operation & { pattern: RegExp })[] = [];
  for (const [template, item] of Object.entries<any>(document.paths)) {
    for (const method of METHODS) {
      const spec = item[method];
      if (!spec) continue;
      const responses = new Map<number, ResponseSpec>();
      for (const [status, reference] of Object.entries<any>(spec.responses)) {
        const response = resolve(document, reference);
        const mediaTypes = new Map<string, ValidateFunction | undefined>();
        for (const [type, media] of Object.entries<any>(
          response.content ?? {},
        )) {
          mediaTypes.set(
            type,
            type.endsWith('json')
              ? ajv.compile(absolute(media.schema))
              : undefined,
          );
        }
        const problemCodes: string[] =
          response['x-problem-codes'] ?? codesIn(response.description ?? '');
        for (const code of problemCodes) {
          if (problems.get(code)?.status !== Number(status))
            throw new Error(
              `${spec.operationId} ${status}: ${code} is not an error of that status in problems.yaml`,
            );
        }
        responses.set(Number(status), { mediaTypes, problemCodes });
      }
      operations.push({
        id: spec.operationId,
        method: method.toUpperCase(),
        path: template,
        responses,
        pattern: pattern(template),
      });
    }
  }
  // A path with a literal segment is meant before one with a parameter.
  const byLiterals = [...operations].sort(
    (a, b) =>
      (a.path.match(/\{/g) ?? []).length - (b.path.match(/\{/g) ?? []).length,
  );
  return {
    service,
    document,
    operations,
    problems,
    find: (method, pathname) =>
      byLiterals.find(
        operation =>
          operation.method === method && operation.pattern.test(pathname),
      ),
  };
}

/** Codes in a description that is nothing but a list of them, as a document made from code has it. */
function codesIn(description: string): string[] {
  return /^[a-z]+(-[a-z]+)*(, [a-z]+(-[a-z]+)*)*$/.test(description)
    ? description.split(', ')
    : [];
}

/** The same schema with references that name the document. */
function absolute(schema: unknown): any {
  return JSON.parse(JSON.stringify(schema ?? {}), (key, value) =>
    key === '$ref' && typeof value === 'string' && value.startsWith('#')
      ? `openapi${value}`
      : value,
  );
}
