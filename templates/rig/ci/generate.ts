/**
 * Writes both pipelines from `templates/skeletons/ci/pipeline.yaml`.
 *
 * node --require @backstage/cli/config/nodeTransform.cjs templates/rig/ci/generate.ts [--check]
 *
 * --check writes nothing and ends with 1 when a file is not what it would write.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { CI_FOLDER, readPipeline } from './definition';
import { githubWorkflow } from './github';
import { gitlabPipeline } from './gitlab';

/** The files by their path in `templates/skeletons/ci`. */
export function pipelineFiles(): Record<string, string> {
  const pipeline = readPipeline();
  return {
    'github/.github/workflows/ci.yml': githubWorkflow(pipeline),
    'gitlab/.gitlab-ci.yml': gitlabPipeline(pipeline),
  };
}

/** Paths of committed files that differ from what would be written. */
export function pipelineDrift(folder = CI_FOLDER): string[] {
  return Object.entries(pipelineFiles())
    .filter(([file, text]) => {
      try {
        return readFileSync(path.join(folder, file), 'utf8') !== text;
      } catch {
        return true;
      }
    })
    .map(([file]) => file);
}

if (require.main === module) {
  if (process.argv.includes('--check')) {
    const drift = pipelineDrift();
    for (const file of drift)
      process.stderr.write(`${file} is not what pipeline.yaml gives\n`);
    process.exit(drift.length ? 1 : 0);
  }
  for (const [file, text] of Object.entries(pipelineFiles())) {
    const target = path.join(CI_FOLDER, file);
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, text);
    process.stdout.write(`${path.relative(process.cwd(), target)}\n`);
  }
}
