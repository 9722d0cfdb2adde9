/**
 * Renders a template with the scaffolder's own fetch actions, outside the portal. That the portal's scaffolder makes the same of it is
 * checked by a dry run (dryRun.ts) and by the end-to-end test, which compares what was published.
 *
 * node --require @backstage/cli/config/nodeTransform.cjs templates/rig/render.ts \
 *   --template transaction-service-nodejs --out DIR [--values JSON]
 *
 * The JSON holds answers of the form; the others are those of the tour and the form's defaults.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { UrlReaderService } from '@backstage/backend-plugin-api';
import { ConfigReader } from '@backstage/config';
import { ScmIntegrations } from '@backstage/integration';
import {
  createFetchPlainAction,
  createFetchPlainFileAction,
  createFetchTemplateAction,
} from '@backstage/plugin-scaffolder-backend';
import { fetchBase } from '@rocket/plugin-catalog-backend-module-rocket-templates';
import {
  fillIn,
  readTemplate,
  templateFile,
  TEMPLATES,
  type Answers,
  type Step,
} from './templates';

const integrations = ScmIntegrations.fromConfig(new ConfigReader({}));
// Templates are folders here; nothing is read over the network.
const reader = {} as UrlReaderService;

const ACTIONS = {
  'fetch:template': createFetchTemplateAction({ integrations, reader }),
  'fetch:plain': createFetchPlainAction({ integrations, reader }),
  'fetch:plain:file': createFetchPlainFileAction({ integrations, reader }),
};

/** Puts the answers into what a step is told. Fetch steps use nothing but `${{ parameters.a.b }}`. */
function resolve(value: unknown, parameters: Answers): any {
  if (Array.isArray(value)) return value.map(item => resolve(item, parameters));
  if (value && typeof value === 'object')
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [
        key,
        resolve(item, parameters),
      ]),
    );
  if (typeof value !== 'string') return value;
  const read = (expression: string): unknown => {
    const match = /^\s*parameters((?:\.\w+)+)\s*$/.exec(expression);
    if (!match) throw new Error(`a fetch step may not say {{${expression}}}`);
    let found: any = parameters;
    for (const key of match[1].slice(1).split('.')) found = found?.[key];
    if (found === undefined)
      throw new Error(`there is no answer for parameters${match[1]}`);
    return found;
  };
  const whole = /^\$\{\{((?:(?!\}\}).)*)\}\}$/.exec(value);
  if (whole) return read(whole[1]);
  return value.replace(/\$\{\{(.*?)\}\}/g, (_, expression) =>
    String(read(expression)),
  );
}

/** The steps that write files, in their order, as these answers make them. */
export function fetchSteps(
  template: string,
  parameters: Answers,
  root = TEMPLATES,
): Step[] {
  const steps = readTemplate(template, root)
    .spec.steps.filter(step => Object.hasOwn(ACTIONS, step.action))
    .map(step => ({ ...step, input: resolve(step.input, parameters) }));
  if (steps.length === 0) throw new Error(`${template} fetches nothing`);
  return steps;
}

/** The file whose folder the addresses of fetch steps start from: what the catalog makes of the template's annotation. */
export function fetchBaseOf(template: string, root = TEMPLATES): string {
  const target = templateFile(template, root);
  const location = { type: 'file', target };
  return (
    fetchBase(readTemplate(template, root), location, integrations)?.target ??
    target
  );
}

/** The files that a fetch step writes, relative to the repository. */
export function filesOfStep(
  template: string,
  step: Step,
  root = TEMPLATES,
): string[] {
  const { url, targetPath = '.' } = step.input;
  if (step.action === 'fetch:plain:file') return [path.normalize(targetPath)];
  const folder = path.resolve(path.dirname(fetchBaseOf(template, root)), url);
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry =>
      path.relative(folder, path.join(entry.parentPath, entry.name)),
    )
    .map(file => path.join(targetPath, file))
    .sort();
}

function quietLogger() {
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

/** Writes what the template's fetch steps make of the answers into an empty folder. Missing answers are the tour's. */
export async function render(
  template: string,
  out: string,
  given: Answers = {},
  root = TEMPLATES,
): Promise<void> {
  const parameters = fillIn(readTemplate(template, root), given);
  mkdirSync(out, { recursive: true });
  for (const step of fetchSteps(template, parameters, root)) {
    const temporary = mkdtempSync(path.join(tmpdir(), 'rocket-render-'));
    // The context of the test utilities needs Jest's globals, which a script does not have.
    const context = {
      logger: quietLogger(),
      input: step.input,
      workspacePath: out,
      task: { id: 'rig' },
      templateInfo: {
        entityRef: `template:default/${template}`,
        baseUrl: `file://${fetchBaseOf(template, root)}`,
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
    } catch (error) {
      throw new Error(`step ${step.id}: ${(error as Error).message}`);
    } finally {
      rmSync(temporary, { recursive: true, force: true });
    }
  }
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
  await render(args.template, out, JSON.parse(args.values));
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
