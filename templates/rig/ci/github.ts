import path from 'node:path';
import { Document } from 'yaml';
import {
  airy,
  commands,
  NOTICE,
  producer,
  type Artifact,
  type Job,
  type Pipeline,
} from './definition';

const TEST_DATABASE = 'postgresql://postgres:postgres@127.0.0.1:5432/postgres';

/** What upload-artifact strips off the paths: their deepest common folder. */
function folderOf({ paths }: Artifact): string {
  const folders = paths.map(file =>
    file.endsWith('/') ? file.slice(0, -1) : path.posix.dirname(file),
  );
  let common = folders[0];
  while (!folders.every(f => f === common || f.startsWith(`${common}/`)))
    common = path.posix.dirname(common);
  return common;
}

function condition(pipeline: Pipeline, job: Job): string | undefined {
  const parts: string[] = [];
  if (job.always) {
    parts.push('!cancelled()');
    for (const need of job.needs ?? [])
      parts.push(`needs.${need}.result != 'skipped'`);
  }
  if (job.only)
    parts.push(
      "github.event_name == 'push'",
      `github.ref == 'refs/heads/${pipeline.branch}'`,
    );
  if (job.when) parts.push(`vars.${job.when} != ''`);
  return parts.length ? `\${{ ${parts.join(' && ')} }}` : undefined;
}

function environment(pipeline: Pipeline, job: Job) {
  const { secrets } = pipeline.settings;
  const env: Record<string, string> = {};
  if (job.services?.includes('postgres')) env.TEST_DATABASE_URL = TEST_DATABASE;
  if (job.registry) {
    env.REGISTRY_USER = '${{ github.actor }}';
    env.REGISTRY_PASSWORD = '${{ secrets.GITHUB_TOKEN }}';
  }
  for (const name of job.uses ?? [])
    env[name] = `\${{ ${
      secrets.includes(name) ? 'secrets' : 'vars'
    }.${name} }}`;
  return Object.keys(env).length ? env : undefined;
}

function steps(pipeline: Pipeline, job: Job, jobs: Map<string, Job>) {
  const action = (name: string) => ({ uses: pipeline.actions[name].uses });
  const all: Record<string, unknown>[] = [
    {
      ...action('checkout'),
      with: {
        'persist-credentials': false,
        ...(job.history ? { 'fetch-depth': 0 } : {}),
      },
    },
  ];
  const install = job.runner === 'node' && job.install !== false;
  if (job.runner === 'node')
    all.push({
      ...action('setup-node'),
      with: {
        'node-version-file': '.nvmrc',
        // A job that holds secrets or publishes takes nothing that another run could have left in the cache.
        ...(install && !job.only
          ? { cache: 'npm' }
          : { 'package-manager-cache': false }),
      },
    });
  for (const name of job.reads ?? [])
    all.push({
      ...action('download-artifact'),
      with: { name, path: folderOf(producer(job, name, jobs)) },
    });
  if (install) all.push({ run: 'npm ci --ignore-scripts' });
  all.push(...commands(pipeline, job.steps));
  for (const command of commands(pipeline, job.finally ?? []))
    all.push({ name: command.name, if: '${{ always() }}', run: command.run });
  if (job.artifact)
    all.push({
      ...action('upload-artifact'),
      ...(job.artifact.always ? { if: '${{ !cancelled() }}' } : {}),
      with: {
        name: job.artifact.name,
        path: `${job.artifact.paths.join('\n')}${
          job.artifact.paths.length > 1 ? '\n' : ''
        }`,
        'retention-days': job.artifact.days,
        'if-no-files-found': 'ignore',
      },
    });
  return all;
}

/** `.github/workflows/ci.yml` */
export function githubWorkflow(pipeline: Pipeline): string {
  const jobs = new Map(pipeline.jobs.map(job => [job.id, job]));
  const document = new Document({
    name: pipeline.name,
    on: { push: { branches: [pipeline.branch] }, pull_request: {} },
    permissions: {},
    concurrency: {
      group: '${{ github.workflow }}-${{ github.ref }}',
      'cancel-in-progress': "${{ github.event_name == 'pull_request' }}",
    },
    env: Object.fromEntries(
      Object.entries(pipeline.variables).map(([name, value]) => [
        name,
        value.github,
      ]),
    ),
    // With -e and pipefail.
    defaults: { run: { shell: 'bash' } },
    jobs: Object.fromEntries(
      pipeline.jobs.map(job => [
        job.id,
        {
          'runs-on': 'ubuntu-24.04',
          'timeout-minutes': job.minutes,
          needs: job.needs,
          if: condition(pipeline, job),
          permissions: {
            contents: 'read',
            ...job.permissions,
            ...(job.identity ? { 'id-token': 'write' } : {}),
          },
          environment: job.environment,
          // One deployment at a time; a running one is never cut off.
          concurrency: job.environment && {
            group: `deploy-${job.environment}`,
            'cancel-in-progress': false,
          },
          services: job.services?.includes('postgres')
            ? {
                postgres: {
                  image: pipeline.images.postgres,
                  env: { POSTGRES_PASSWORD: 'postgres' },
                  ports: ['127.0.0.1:5432:5432'],
                  options:
                    '--health-cmd "pg_isready --username postgres" --health-interval 2s --health-retries 30',
                },
              }
            : undefined,
          env: environment(pipeline, job),
          steps: steps(pipeline, job, jobs),
        },
      ]),
    ),
  });
  document.commentBefore = NOTICE;
  let text = airy(document);
  for (const { uses, version } of Object.values(pipeline.actions))
    text = text.replaceAll(`uses: ${uses}\n`, `uses: ${uses} # ${version}\n`);
  return text.replace(/^ {2}pull_request: \{\}$/m, '  pull_request:');
}
