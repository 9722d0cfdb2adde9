/** Everything that is checked of the templates in a folder without running what they make. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pipelineDrift } from './ci/generate';
import type { Scaffolder } from './backend';
import { checkManifests } from './kubernetes';
import { lintTemplate } from './lint';
import { render } from './render';
import { equal, type Report } from './report';
import {
  compareSnapshot,
  difference,
  lineOf,
  SNAPSHOTS,
  treeOf,
  updateSnapshot,
  type Tree,
} from './snapshot';
import { checkSupplyChain } from './supplyChain';
import {
  describeOptions,
  fillIn,
  optionSets,
  readTemplate,
  templateNames,
  type Answers,
} from './templates';
import { checkRepository, checkTree, HOSTILE } from './tree';

export type StaticOptions = {
  /** The folder of templates. */
  root: string;
  scaffolder: Scaffolder;
  /** Write the snapshots instead of comparing them. */
  update?: boolean;
  /** Where the snapshots are. */
  snapshots?: string;
  /** Ask the scaffolder for the same files. Default: true. */
  dryRun?: boolean;
  /** Only the form's defaults, without other option sets. */
  defaultsOnly?: boolean;
  /** Values that a form would refuse are tried as well. Default: true. */
  hostile?: boolean;
};

/** The same answers through the scaffolder's own runner, as in the portal. */
async function checkDryRun(
  report: Report,
  template: string,
  answers: Answers,
  tree: Tree,
  { root, scaffolder }: StaticOptions,
): Promise<void> {
  await report.check(
    `${template}: dry run: every step, the tested files, no side effect`,
    async () => {
      const before = scaffolder.sideEffects.length;
      const { files, output, steps } = await scaffolder.dryRun(
        template,
        answers,
        root,
      );
      equal(
        steps,
        readTemplate(template, root).spec.steps.map(({ id }) => id),
        'the steps that ran',
      );
      equal(
        difference(
          tree,
          new Map(
            files.map(file => [
              file.path,
              lineOf(file.path, file.content, file.executable),
            ]),
          ),
        ),
        [],
        'what differs from the rendering that is tested',
      );
      equal(
        output.links?.find(link => link.entityRef)?.entityRef,
        `component:default/${answers.name}`,
        'the entity that the last page leads to',
      );
      equal(scaffolder.sideEffects.slice(before), [], 'side effects');
    },
  );
}

async function checkTemplate(
  report: Report,
  template: string,
  work: string,
  options: StaticOptions,
): Promise<void> {
  const { root } = options;
  const entity = readTemplate(template, root);
  const trees: [string, Tree][] = [];
  const sets = optionSets(entity);
  for (const chosen of options.defaultsOnly ? sets.slice(0, 1) : sets) {
    const label = `${template}: ${describeOptions(chosen)}`;
    const answers = fillIn(entity, chosen);
    const out = path.join(work, template, describeOptions(chosen));
    if (
      !(await report.check(`${label}: renders`, () =>
        render(template, out, chosen, root),
      ))
    )
      continue;
    await checkTree(report, out, answers, label);
    await checkRepository(report, out, label);
    await checkSupplyChain(report, out, String(answers.ci), label);
    await checkManifests(report, out, String(answers.name), label);
    const tree = treeOf(out);
    if (trees.length === 0 && options.dryRun !== false)
      await checkDryRun(report, template, answers, tree, options);
    trees.push([describeOptions(chosen), tree]);
  }
  if (options.update) updateSnapshot(template, trees, options.snapshots);
  await report.check(`${template}: the snapshot of the rendered trees`, () =>
    compareSnapshot(
      template,
      trees,
      options.snapshots ?? SNAPSHOTS,
      !options.defaultsOnly,
    ),
  );
  if (options.hostile === false) return;
  for (const [kind, description] of Object.entries(HOSTILE)) {
    const label = `${template}: ${kind}`;
    const out = path.join(work, template, kind);
    if (
      !(await report.check(`${label}: renders the same files`, async () => {
        await render(template, out, { description }, root);
        equal(
          [...treeOf(out).keys()],
          [...(trees[0]?.[1].keys() ?? [])],
          'the files',
        );
      }))
    )
      continue;
    await checkTree(report, out, fillIn(entity, { description }), label);
  }
}

export async function checkStatically(
  report: Report,
  options: StaticOptions,
): Promise<void> {
  const { root, scaffolder } = options;
  const work = mkdtempSync(path.join(tmpdir(), 'rocket-templates-'));
  try {
    await report.check('pipelines: are what pipeline.yaml gives', () =>
      equal(pipelineDrift(path.join(root, 'skeletons/ci')), [], 'what differs'),
    );
    for (const template of templateNames(root)) {
      // A file that cannot even be read has no form.
      if (
        !(await report.check(`${template}: template.yaml is YAML`, () =>
          readTemplate(template, root),
        ))
      )
        continue;
      await lintTemplate(report, template, root, scaffolder.actions);
      await checkTemplate(report, template, work, options);
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
