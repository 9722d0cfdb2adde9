import { Document } from 'yaml';
import { airy, commands, NOTICE, type Job, type Pipeline } from './definition';

const CHANGE = '$CI_PIPELINE_SOURCE == "merge_request_event"';
const PUSH = '$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH';

/** OpenID Connect tokens. They stand in the project's own file: an included one gets none that sigstore takes. */
const TOKENS = {
  sigstore: { SIGSTORE_ID_TOKEN: { aud: 'sigstore' } },
  cloud: { CLOUD_ID_TOKEN: { aud: '$CI_SERVER_URL' } },
  // For this Rocket and no other one.
  rocket: { ROCKET_ID_TOKEN: { aud: '$ROCKET_URL' } },
};

function rules(job: Job) {
  if (!job.only && !job.when) return undefined;
  const parts: string[] = [];
  if (job.only) parts.push(PUSH);
  if (job.when) parts.push(`$${job.when}`);
  return [
    { if: parts.join(' && '), ...(job.always ? { when: 'always' } : {}) },
  ];
}

function script(pipeline: Pipeline, job: Job): string[] {
  const lines: string[] = [];
  if (job.runner === 'node' && job.install !== false)
    lines.push('npm ci --ignore-scripts --cache .npm --prefer-offline');
  for (const { run } of commands(pipeline, job.steps)) lines.push(run);
  return lines;
}

/** GitLab runs `docker` as root beside an engine of its own; the project's folder is the same path in both. */
function machine(pipeline: Pipeline, job: Job) {
  const services: unknown[] = [];
  const variables: Record<string, string> = {};
  if (job.runner === 'docker') {
    services.push({ name: pipeline.images.dind, alias: 'docker' });
    variables.DOCKER_TLS_CERTDIR = '/certs';
  }
  if (job.services?.includes('postgres')) {
    services.push({ name: pipeline.images.postgres, alias: 'postgres' });
    variables.POSTGRES_PASSWORD = 'postgres';
    variables.TEST_DATABASE_URL =
      'postgresql://postgres:postgres@postgres:5432/postgres';
  }
  if (job.registry) {
    variables.REGISTRY_USER = '$CI_REGISTRY_USER';
    variables.REGISTRY_PASSWORD = '$CI_REGISTRY_PASSWORD';
  }
  if (job.history) variables.GIT_DEPTH = '0';
  return {
    image: pipeline.images[job.runner],
    services: services.length ? services : undefined,
    variables: Object.keys(variables).length ? variables : undefined,
  };
}

/** `.gitlab-ci.yml` */
export function gitlabPipeline(pipeline: Pipeline): string {
  const perRule = { change: {}, push: {} } as Record<
    'change' | 'push',
    Record<string, string>
  >;
  const variables: Record<string, string> = {};
  for (const [name, { gitlab }] of Object.entries(pipeline.variables)) {
    if (typeof gitlab === 'string') {
      variables[name] = gitlab;
    } else {
      perRule.change[name] = gitlab.change;
      perRule.push[name] = gitlab.push;
    }
  }
  const document = new Document({
    stages: pipeline.stages,
    workflow: {
      rules: [
        { if: CHANGE, variables: perRule.change },
        { if: PUSH, variables: perRule.push },
      ],
    },
    variables,
    ...Object.fromEntries(
      pipeline.jobs.map(job => [
        job.id,
        {
          stage: job.stage,
          ...machine(pipeline, job),
          timeout: `${job.minutes} minutes`,
          needs:
            job.needs?.map(need =>
              pipeline.jobs.find(other => other.id === need)?.artifact &&
              !job.reads?.length
                ? { job: need, artifacts: false }
                : need,
            ) ?? [],
          rules: rules(job),
          interruptible: !job.only,
          id_tokens:
            job.identity &&
            Object.assign(
              {},
              // Copies, for YAML would make anchors of what is the same object.
              ...job.identity.map(name => structuredClone(TOKENS[name])),
            ),
          environment: job.environment && { name: job.environment },
          resource_group: job.environment,
          cache:
            job.runner === 'node' && job.install !== false && !job.only
              ? { key: { files: ['package-lock.json'] }, paths: ['.npm/'] }
              : undefined,
          coverage: job.coverage,
          script: script(pipeline, job),
          after_script: job.finally
            ? commands(pipeline, job.finally).map(({ run }) => run)
            : undefined,
          artifacts: job.artifact && {
            name: job.artifact.name,
            paths: job.artifact.paths,
            when: job.artifact.always ? 'always' : 'on_success',
            expire_in: `${job.artifact.days} days`,
            ...(job.coverage
              ? {
                  reports: {
                    coverage_report: {
                      coverage_format: 'cobertura',
                      path: 'coverage/cobertura-coverage.xml',
                    },
                  },
                }
              : {}),
          },
        },
      ]),
    ),
  });
  document.commentBefore = NOTICE;
  return airy(document);
}
