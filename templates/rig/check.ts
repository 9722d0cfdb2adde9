/**
 * Checks the golden templates: lint of each template.yaml, every rendering of every option set (hostile values too) against its
 * snapshot, a dry run through the real scaffolder, pins and permissions; then one rendering of each template is installed, linted,
 * type-checked, tested, started and put through the conformance suite, and its pipeline is run against a portal; then both services
 * together, with tokens and a broker. Broken copies must be red. Ends with `N passed, N failed`, after what this machine could not try.
 *
 * node --require @backstage/cli/config/nodeTransform.cjs templates/rig/check.ts [--quick] [--update] [--keep DIR] [--template NAME]
 *
 * --quick          without installing and running what came out
 * --update         write the snapshots; look at the difference before you commit it
 * --keep DIR       render the tour's answers to DIR/<template> and leave them there
 * --template NAME  build and run only this template
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { startScaffolder } from './backend';
import { buildAndRun, kindOf } from './build';
import { contractDrift } from './contracts';
import { runPair } from './pair';
import { checkPipeline } from './pipeline';
import { render } from './render';
import { Report } from './report';
import { selfTest } from './selfTest';
import { checkStatically } from './static';
import { copyTemplates, templateNames, TEMPLATES } from './templates';

async function main(report: Report): Promise<void> {
  const { values: args } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      update: { type: 'boolean', default: false },
      keep: { type: 'string' },
      template: { type: 'string' },
    },
  });
  // A copy, so that all checks see the same templates whatever is edited meanwhile.
  const root = mkdtempSync(path.join(tmpdir(), 'rocket-rig-'));
  copyTemplates(TEMPLATES, root);
  const scaffolder = await startScaffolder();
  try {
    await report.check('contracts: what is generated from them is', () =>
      contractDrift(),
    );
    await checkStatically(report, {
      root,
      scaffolder,
      update: args.update,
    });
    await selfTest(report, scaffolder, root);
  } finally {
    await scaffolder.stop();
  }

  const work = mkdtempSync(path.join(tmpdir(), 'rocket-built-'));
  // As root, the PostgreSQL of the tests runs as another user, who has to get in.
  chmodSync(work, 0o755);
  try {
    const built: Record<string, string> = {};
    for (const template of templateNames(root)) {
      if (args.template && template !== args.template) continue;
      const out = path.join(path.resolve(args.keep ?? work), template);
      if (args.keep || !args.quick) await render(template, out, {}, root);
      if (!args.quick && (await buildAndRun(report, template, out))) {
        built[kindOf(template)] = out;
        await report.check(`${template}: its pipeline, step by step`, () =>
          checkPipeline(report, out),
        );
      }
    }
    const { transaction, authorization } = built;
    if (transaction && authorization)
      await runPair(report, { transaction, authorization });
  } finally {
    for (const folder of [work, root])
      rmSync(folder, { recursive: true, force: true });
  }
}

const report = new Report(text => process.stdout.write(text));
main(report)
  .catch(error => {
    report.failures.push({ name: 'the rig itself', reason: String(error) });
    process.stderr.write(`${error.stack ?? error}\n`);
  })
  .finally(() => {
    const { passed, failures, omitted } = report;
    for (const { name, reason } of omitted)
      process.stdout.write(`NOT RUN: ${name}: ${reason}\n`);
    process.stdout.write(`${passed} passed, ${failures.length} failed\n`);
    // The scaffolder's own timers would keep the process for a while.
    process.exit(failures.length > 0 ? 1 : 0);
  });
