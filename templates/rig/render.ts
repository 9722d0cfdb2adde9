/**
 * Renders a template with the scaffolder's own `fetch:template` action, outside the portal.
 *
 * node --require @backstage/cli/config/nodeTransform.cjs templates/rig/render.ts \
 *   --template transaction-service-nodejs --out DIR [--values JSON]
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { ConfigReader } from '@backstage/config';
import type { UrlReaderService } from '@backstage/backend-plugin-api';
import { ScmIntegrations } from '@backstage/integration';
import { createFetchTemplateAction } from '@backstage/plugin-scaffolder-backend';
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

type TemplateEntity = {
  spec: {
    parameters: unknown[];
    steps: { id: string; action: string; input: Record<string, unknown> }[];
  };
};

/** The parsed `template.yaml`. */
export function readTemplate(name: string): TemplateEntity {
  const text = readFileSync(
    path.join(TEMPLATES, name, 'template.yaml'),
    'utf8',
  );
  return parse(text) as TemplateEntity;
}

/** Writes what the template's fetch step makes of these values into an empty folder. */
export async function render(
  template: string,
  out: string,
  values: Record<string, unknown>,
): Promise<void> {
  const step = readTemplate(template).spec.steps.find(
    candidate => candidate.action === 'fetch:template',
  );
  if (!step) throw new Error(`${template} has no step fetch:template`);
  const expected = Object.keys(step.input.values as object).sort();
  const given = Object.keys(values).sort();
  if (expected.join() !== given.join()) {
    throw new Error(
      `values must be ${expected.join(', ')}, not ${given.join(', ')}`,
    );
  }
  mkdirSync(out, { recursive: true });
  const action = createFetchTemplateAction({
    integrations: ScmIntegrations.fromConfig(new ConfigReader({})),
    // Templates are folders here; nothing is read over the network.
    reader: {} as UrlReaderService,
  });
  // The context of the test utilities needs Jest's globals, which a script does not have.
  const logger = mockLogger();
  const temporary = mkdtempSync(path.join(tmpdir(), 'rocket-render-'));
  const context = {
    logger,
    input: { ...step.input, values },
    workspacePath: out,
    task: { id: 'rig' },
    templateInfo: {
      entityRef: `template:default/${template}`,
      baseUrl: `file://${path.join(TEMPLATES, template, 'template.yaml')}`,
    },
    checkpoint: async ({ fn }: { fn: () => unknown }) => fn(),
    output: () => {},
    createTemporaryDirectory: async () => temporary,
    getInitiatorCredentials: async () => ({}),
  };
  try {
    await action.handler(context as never);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
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
