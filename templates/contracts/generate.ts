/**
 * Writes what is made from the contracts: the catalogues of errors in code, the page docs/errors.md of each service, currencies and the
 * state table in code, and the checksums of recorded events.
 *
 * node --require @backstage/cli/config/nodeTransform.cjs templates/contracts/generate.ts [--check]
 *
 * --check writes nothing and exits 1 when a file is not what it would be, or when the contracts contradict each other.
 */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { parse } from 'yaml';

// Prettier 2 brings no types.
const { format } = require('prettier') as {
  format(text: string, options: Record<string, unknown>): string;
};

const CONTRACTS = __dirname;
const TEMPLATES = path.dirname(CONTRACTS);
const SERVICES = ['transaction', 'authorization'] as const;
type Service = (typeof SERVICES)[number];

type CatalogueEntry = {
  code: string;
  status: number;
  title: string;
  meaning: string;
  remedy: string;
  services: Service[];
};

const read = (file: string) =>
  readFileSync(path.join(CONTRACTS, file), 'utf8');

/** The file of a path relative to templates/, in the style of a rendered repository. */
function code(text: string): string {
  const style = JSON.parse(
    readFileSync(
      path.join(TEMPLATES, 'skeletons/nodejs-service/.prettierrc.json'),
      'utf8',
    ),
  );
  // Prettier 3 in a rendered repository puts commas after arguments as well.
  return format(text, {
    trailingComma: 'all',
    ...style,
    parser: 'typescript',
  });
}

function catalogue(): CatalogueEntry[] {
  return parse(read('problems.yaml'));
}

function catalogueOf(service: Service): CatalogueEntry[] {
  return catalogue().filter(entry => entry.services.includes(service));
}

const quote = (text: string) => JSON.stringify(text);

function problemCatalogue(service: Service): string {
  const entries = catalogueOf(service);
  const rows = entries.map(
    ({ code: name, status, title }) =>
      `${quote(name)}: { status: ${status}, title: ${quote(title)} },`,
  );
  const help = entries.map(
    ({ code: name, meaning, remedy }) =>
      `${quote(name)}: { meaning: ${quote(meaning)}, remedy: ${quote(
        remedy,
      )} },`,
  );
  return code(`/** The errors of this service: made from contracts/problems.yaml, where they are changed. */
export const PROBLEMS = {\n${rows.join('\n')}\n} as const;

/** What the page of an error says beyond its title. */
export const PROBLEM_HELP: Record<keyof typeof PROBLEMS, { meaning: string; remedy: string }> = {\n${help.join(
    '\n',
  )}\n};
`);
}

/** As \`npm run contract\` of a rendered service writes it. */
function errorsPage(service: Service): string {
  const sections = catalogueOf(service).map(
    ({ code: name, status, title, meaning, remedy }) =>
      `## ${name}\n\n**${title}** (HTTP ${status})\n\n${meaning}\n\nWhat to do: ${remedy}\n`,
  );
  return [
    '# Errors\n',
    'Errors are problem details ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)) with the media type',
    '`application/problem+json`. Decide by `code`, show `detail` to people, quote `traceId` in reports.\n',
    'This page is written by `npm run contract` from `contracts/problems.yaml`.\n',
    ...sections,
  ].join('\n');
}

function currencies(): string {
  const { currencies: byExponent } = JSON.parse(read('money.json')) as {
    currencies: Record<string, string[]>;
  };
  const rows = Object.entries(byExponent)
    .filter(([, codes]) => codes.length > 0)
    .map(([exponent, codes]) => {
      const lines: string[] = [];
      for (let i = 0; i < codes.length; i += 28)
        lines.push(quote(codes.slice(i, i + 28).join(' ')));
      return `[${exponent}, [${lines.join(', ')}].join(' ')],`;
    });
  return code(`/** Active currencies of ISO 4217 by the digits of their minor unit: made from contracts/money.json, where they are changed. */
const BY_EXPONENT: [number, string][] = [\n${rows.join('\n')}\n];

/** Currency code to the number of digits of its minor unit. The table \`currency\` holds the same. */
export const CURRENCY_EXPONENTS: ReadonlyMap<string, number> = new Map(
  BY_EXPONENT.flatMap(([exponent, codes]) => codes.split(' ').map(currency => [currency, exponent] as const)),
);
`);
}

function stateTable(): string {
  const table = parse(read('authorization-states.yaml'));
  return code(`/** The life of an authorization: made from contracts/authorization-states.yaml, where it is changed and explained. */
export const STATE_TABLE = ${JSON.stringify(table)} as const;
`);
}

/** Files below a folder of contracts/, with / between the parts. */
function filesBelow(folder: string): string[] {
  const root = path.join(CONTRACTS, folder);
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry =>
      path
        .relative(root, path.join(entry.parentPath, entry.name))
        .split(path.sep)
        .join('/'),
    )
    .sort();
}

/** Checksum of what a file says, not of how it is laid out. */
function checksum(file: string): string {
  return createHash('sha256')
    .update(JSON.stringify(JSON.parse(read(file))))
    .digest('hex');
}

const RECORDED = 'events/recorded.json';

/** Recorded events stay as they are for ever; new ones are added. */
function recorded(): string {
  const known: Record<string, string> = existsSync(
    path.join(CONTRACTS, RECORDED),
  )
    ? JSON.parse(read(RECORDED))
    : {};
  for (const file of filesBelow('events/examples'))
    known[file] ??= checksum(`events/examples/${file}`);
  const sorted = Object.fromEntries(
    Object.entries(known).sort(([a], [b]) => (a < b ? -1 : 1)),
  );
  return `${JSON.stringify(sorted, null, 2)}\n`;
}

/** Every generated file: path below templates/ → content. */
export function outputs(): Map<string, string> {
  const files = new Map<string, string>();
  for (const service of SERVICES) {
    const skeleton = `${service}-service-nodejs/skeleton`;
    files.set(
      `${skeleton}/src/platform/problemCatalogue.ts`,
      problemCatalogue(service),
    );
    files.set(`${skeleton}/docs/errors.md`, errorsPage(service));
  }
  files.set(
    'skeletons/nodejs-service/src/platform/currencies.ts',
    currencies(),
  );
  files.set(
    'authorization-service-nodejs/skeleton/src/authorization/state-table.ts',
    stateTable(),
  );
  files.set(`contracts/${RECORDED}`, recorded());
  return files;
}

function codesOfDocument(service: Service): string[] {
  const { schemas } = parse(read(`${service}-service/openapi.yaml`)).components;
  return schemas.ProblemCode?.enum ?? schemas.Problem.properties.code.enum;
}

/** Where the contracts contradict each other; empty when they do not. */
export function contradictions(): string[] {
  const found: string[] = [];
  const codes = catalogue().map(entry => entry.code);
  for (const name of codes)
    if (codes.indexOf(name) !== codes.lastIndexOf(name))
      found.push(`problems.yaml: ${name} is there twice`);
  for (const service of SERVICES) {
    const promised = new Set(codesOfDocument(service));
    const known = new Set(catalogueOf(service).map(entry => entry.code));
    for (const name of known)
      if (!promised.has(name))
        found.push(`${service}-service/openapi.yaml: the code ${name} is missing`);
    for (const name of promised)
      if (!known.has(name))
        found.push(
          `${service}-service/openapi.yaml: the code ${name} is not in problems.yaml for it`,
        );
  }
  const { currencies: byExponent } = JSON.parse(read('money.json'));
  for (const database of readdirSync(path.join(CONTRACTS, 'migrations'))) {
    for (const file of filesBelow(`migrations/${database}`)) {
      if (!file.endsWith('currencies.sql')) continue;
      // The pieces of each text that are joined by ||, then the exponent in front of them.
      const sql = read(`migrations/${database}/${file}`).replace(
        /'\s*\|\|\s*'/g,
        '',
      );
      const inserted = Object.fromEntries(
        [...sql.matchAll(/\((\d), '([A-Z ]+)'\)/g)].map(([, exponent, list]) => [
          exponent,
          list.trim().split(/\s+/).sort(),
        ]),
      );
      const expected = Object.fromEntries(
        Object.entries<string[]>(byExponent)
          .filter(([, list]) => list.length > 0)
          .map(([exponent, list]) => [exponent, [...list].sort()]),
      );
      if (!isDeepStrictEqual(inserted, expected))
        found.push(
          `migrations/${database}/${file}: the currencies are not those of money.json`,
        );
    }
  }
  for (const [file, sum] of Object.entries<string>(
    JSON.parse(existsSync(path.join(CONTRACTS, RECORDED)) ? read(RECORDED) : '{}'),
  )) {
    if (!existsSync(path.join(CONTRACTS, 'events/examples', file)))
      found.push(`events/examples/${file}: a recorded event is gone`);
    else if (checksum(`events/examples/${file}`) !== sum)
      found.push(
        `events/examples/${file}: a recorded event was changed; add a new one instead`,
      );
  }
  return found;
}

/** Generated files that are not what they would be. */
export function drift(): string[] {
  return [...outputs()]
    .filter(([file, content]) => {
      const target = path.join(TEMPLATES, file);
      return !existsSync(target) || readFileSync(target, 'utf8') !== content;
    })
    .map(([file]) => file);
}

function main(): void {
  const check = process.argv.includes('--check');
  const wrong = contradictions();
  const changed = drift();
  for (const line of wrong) process.stderr.write(`${line}\n`);
  for (const file of changed)
    process.stderr.write(
      check
        ? `templates/${file} is not what templates/contracts says; run templates/contracts/generate.ts\n`
        : `written: templates/${file}\n`,
    );
  if (!check) {
    for (const [file, content] of outputs()) {
      if (!changed.includes(file)) continue;
      const target = path.join(TEMPLATES, file);
      mkdirSync(path.dirname(target), { recursive: true });
      writeFileSync(target, content);
    }
  }
  process.exitCode = wrong.length > 0 || (check && changed.length > 0) ? 1 : 0;
}

if (require.main === module) main();
