/**
 * Renders a template with the scaffolder's own fetch actions, outside the portal.
 *
 * node --require @backstage/cli/config/nodeTransform.cjs templates/rig/render.ts \
 *   --template transaction-service-nodejs --out DIR [--values JSON]
 */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { ConfigReader } from '@backstage/config';
import type { UrlReaderService } from '@backstage/backend-plugin-api';
import { ScmIntegrations } from '@backstage/integration';
import type { Entity } from '@backstage/catalog-model';
import {
  createFetchPlainAction,
  createFetchPlainFileAction,
  createFetchTemplateAction,
} from '@backstage/plugin-scaffolder-backend';
import { fetchBase } from '@rocket/plugin-catalog-backend-module-rocket-templates';
import { parse } from 'yaml';

export const TEMPLATES = path.resolve(__dirname, '..');

/** Values of a form that was filled in as the tour does it. */
export const ORDINARY = {
  name: 'wallet-transactions',
  owner: 'group:default/ledger',
  description:
    'Keeps the wallets of our customers and moves money between them.',
  businessModel: 'domain:default/payments',
  criticalPath: 'criticalpath:default/wallet-top-up',
  criticalPathStep: 'post',
};

type Step = { id: string; action: string; input: Record<string, any> };

export type TemplateEntity = Entity & {
  spec: { parameters: unknown[]; steps: Step[] };
};

function fileOf(template: string): string {
  return path.join(TEMPLATES, template, 'template.yaml');
}

/** The parsed `template.yaml`. */
export function readTemplate(name: string): TemplateEntity {
  return parse(readFileSync(fileOf(name), 'utf8')) as TemplateEntity;
}

const integrations = ScmIntegrations.fromConfig(new ConfigReader({}));
// Templates are folders here; nothing is read over the network.
const reader = {} as UrlReaderService;

const ACTIONS = {
  'fetch:template': createFetchTemplateAction({ integrations, reader }),
  'fetch:plain': createFetchPlainAction({ integrations, reader }),
  'fetch:plain:file': createFetchPlainFileAction({ integrations, reader }),
};

/** The steps that write files, in their order. */
export function fetchSteps(template: string): Step[] {
  const steps = readTemplate(template).spec.steps.filter(step =>
    Object.hasOwn(ACTIONS, step.action),
  );
  if (steps.length === 0) throw new Error(`${template} fetches nothing`);
  return steps;
}

/** Where the addresses of the fetch steps start: what the catalog makes of the template's annotation. */
function baseOf(template: string): string {
  const file = fileOf(template);
  const location = { type: 'file', target: file };
  return (
    fetchBase(readTemplate(template), location, integrations)?.target ?? file
  );
}

/** The files that a fetch step writes, relative to the repository. */
export function filesOfStep(template: string, step: Step): string[] {
  const { url, targetPath = '.' } = step.input;
  if (step.action === 'fetch:plain:file') return [path.normalize(targetPath)];
  const folder = path.resolve(path.dirname(baseOf(template)), url);
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry =>
      path.relative(folder, path.join(entry.parentPath, entry.name)),
    )
    .map(file => path.join(targetPath, file))
    .sort();
}

/** The values of a fetch:template step: those of the form are given, the others stand in the template. */
function valuesOf(
  step: Step,
  given: Record<string, unknown>,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(step.input.values as object).map(([name, value]) => {
      if (!String(value).includes('${{')) return [name, value];
      if (!Object.hasOwn(given, name)) {
        throw new Error(`step ${step.id} needs a value for ${name}`);
      }
      return [name, given[name]];
    }),
  );
}

/** Writes what the template's fetch steps make of these values into an empty folder. */
export async function render(
  template: string,
  out: string,
  values: Record<string, unknown>,
): Promise<void> {
  mkdirSync(out, { recursive: true });
  // The context of the test utilities needs Jest's globals, which a script does not have.
  const logger = mockLogger();
  const used = new Set<string>();
  for (const step of fetchSteps(template)) {
    const input = { ...step.input };
    if (input.values) {
      input.values = valuesOf(step, values);
      Object.keys(input.values).forEach(name => used.add(name));
    }
    const temporary = mkdtempSync(path.join(tmpdir(), 'rocket-render-'));
    const context = {
      logger,
      input,
      workspacePath: out,
      task: { id: 'rig' },
      templateInfo: {
        entityRef: `template:default/${template}`,
        baseUrl: `file://${baseOf(template)}`,
      },
      checkpoint: async ({ fn }: { fn: () => unknown }) => fn(),
      output: () => {},
      createTemporaryDirectory: async () => temporary,
      getInitiatorCredentials: async () => ({}),
    };
    try {
      await ACTIONS[step.action as keyof typeof ACTIONS].handler(
        context as never,
      );
    } finally {
      rmSync(temporary, { recursive: true, force: true });
    }
  }
  const unknown = Object.keys(values).filter(name => !used.has(name));
  if (unknown.length > 0) {
    throw new Error(`${template} has no value ${unknown.join(', ')}`);
  }
}

function mockLogger() {
  const quiet = () => {};
  const logger = {
    info: quiet,
    debug: quiet,
    warn: quiet,
    error: quiet,
    child: () => logger,
  };
  return logger;
}

async function main() {
  const { values: args } = parseArgs({
    options: {
      template: { type: 'string', default: 'transaction-service-nodejs' },
      out: { type: 'string' },
      values: { type: 'string', default: '{}' },
    },
  });
  if (!args.out) throw new Error('--out DIR is missing');
  const out = path.resolve(args.out);
  await render(args.template, out, { ...ORDINARY, ...JSON.parse(args.values) });
  process.stdout.write(`${out}\n`);
}

if (require.main === module) {
  main().then(
    () => process.exit(0),
    error => {
      process.stderr.write(`${error.stack ?? error}\n`);
      process.exit(1);
    },
  );
}
