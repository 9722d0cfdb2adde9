/** Pipelines and Dockerfile: what is used is named so that it cannot be exchanged, and nobody may more than needed. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { assert, equal, type Report } from './report';

/** `name:1.2.3…@sha256:…` */
const IMAGE = /^[\w.-]+(?:[/:][\w.-]+)*:v?\d+\.\d+[\w.-]*@sha256:[0-9a-f]{64}$/;

/** Everything in a script that looks like an image. */
function imagesIn(text: string): string[] {
  return [
    ...text.matchAll(/[\w./-]+(?::[\w.-]+)?@sha256:\w*/g),
    ...text.matchAll(
      /\bdocker run\b[^|;&\n]*?\s((?:[\w.-]+\/)+[\w.-]+(?::[\w.@:-]+)?)/g,
    ),
  ].map(match => match[1] ?? match[0]);
}

const STAGES = [
  'npm run lint',
  'npm run typecheck',
  'npm run test:unit',
  'npm test',
  'npm run contract',
  'npm run test:contract',
  'compatible.ts',
  'oasdiff',
  'gitleaks',
  'docker build',
  'cyclonedx-json',
  'osv-scanner',
  'grype',
  'gate.ts',
  'npm audit signatures',
  'cosign sign',
  'cosign attest',
  'deploy.ts',
  'record.ts',
  'rocket.sh validate',
  'rocket.sh register',
  'rocket.sh report --coverage',
  'rocket.sh report --scan',
  'rocket.sh gate',
  'rocket.sh deploy start',
  'rocket.sh deploy finish',
];

export function checkGithub(text: string): void {
  for (const expression of ['${{ github.ref }}', '${{ github.sha }}'])
    assert(text.includes(expression), `${expression} is gone`);
  assert(!text.includes('pull_request_target'), 'pull_request_target is used');
  const uses = [...text.matchAll(/uses: *(.+)/g)].map(match => match[1]);
  assert(uses.length > 0, 'no action is used');
  for (const use of uses)
    assert(
      /^[\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(use),
      `${use} is not pinned by commit with its version`,
    );
  const workflow = parse(text);
  equal(workflow.permissions, {}, 'permissions of the workflow');
  for (const [id, job] of Object.entries<any>(workflow.jobs)) {
    assert(
      job.permissions && job['timeout-minutes'],
      `job ${id} has no permissions or no time limit`,
    );
    equal(job.permissions.contents, 'read', `job ${id}: contents`);
    const more = Object.keys(job.permissions).filter(key => key !== 'contents');
    assert(
      more.length === 0 ||
        String(job.if).includes("github.event_name == 'push'"),
      `job ${id} may more than read, and is not only for pushes`,
    );
    for (const service of Object.values<any>(job.services ?? {}))
      assert(IMAGE.test(service.image), `${service.image} is not pinned`);
    for (const step of job.steps) {
      if (step.uses?.startsWith('actions/checkout'))
        equal(
          step.with?.['persist-credentials'],
          false,
          `job ${id}: persist-credentials`,
        );
      // An expression in a script is code that somebody else may write.
      assert(
        !/\$\{\{/.test(step.run ?? ''),
        `job ${id}: an expression stands in a script`,
      );
    }
  }
}

export function checkGitlab(text: string): void {
  const { stages, workflow, variables, ...jobs } = parse(text);
  assert(workflow?.rules?.length && variables, 'workflow or variables');
  assert(
    !('include' in jobs),
    'id_tokens must stand in this file, so nothing is included',
  );
  for (const [id, job] of Object.entries<any>(jobs)) {
    assert(stages.includes(job.stage), `job ${id} has no stage`);
    assert(job.timeout, `job ${id} has no time limit`);
    assert(IMAGE.test(job.image), `job ${id}: ${job.image} is not pinned`);
    for (const service of job.services ?? [])
      assert(IMAGE.test(service.name), `${service.name} is not pinned`);
  }
  equal(
    jobs.publish?.id_tokens,
    { SIGSTORE_ID_TOKEN: { aud: 'sigstore' } },
    'the token that signs',
  );
}

/** Instructions of a Dockerfile, continued lines joined. */
function instructions(text: string): { name: string; rest: string }[] {
  return text
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter(line => line.trim() && !line.startsWith('#'))
    .map(line => {
      const [, name, rest] = /^(\w+)\s+(.*)$/.exec(line.trim()) ?? ['', '', ''];
      assert(name, `not an instruction: ${line}`);
      return { name: name.toUpperCase(), rest };
    });
}

/** Rules in the manner of hadolint, for what we promise of the image. */
export function checkDockerfile(text: string): void {
  const all = instructions(text);
  const froms = all.filter(({ name }) => name === 'FROM');
  assert(froms.length >= 2, 'it has one stage; tools would be in the image');
  for (const { rest } of froms) {
    const [image] = rest.replace(/^--\S+\s+/, '').split(/\s+/);
    assert(IMAGE.test(image), `FROM ${image} is not pinned by tag and digest`);
  }
  equal(
    new Set(froms.map(({ rest }) => rest.split(/\s+/)[0])).size,
    1,
    'the number of base images',
  );
  const last = all.slice(all.lastIndexOf(froms[froms.length - 1]) + 1);
  const only = (name: string) => last.filter(entry => entry.name === name);
  for (const { name, rest } of all) {
    assert(name !== 'ADD', `ADD ${rest}: use COPY`);
    assert(name !== 'MAINTAINER', 'MAINTAINER is a label now');
    assert(!/\bsudo\b|\bcurl\b.*\|\s*(ba)?sh/.test(rest), `${name} ${rest}`);
    assert(
      !(
        /^(ENV|ARG)$/.test(name) && /(PASSWORD|SECRET|TOKEN|_KEY)\b/.test(rest)
      ),
      `${name} ${rest}: a secret would stay in the image`,
    );
    assert(
      !/\bapt-get install\b/.test(rest),
      `${rest}: the base image has what is needed`,
    );
    if (name === 'RUN' && /\bnpm (ci|install)\b/.test(rest))
      assert(
        /\bnpm ci\b/.test(rest) && rest.includes('--ignore-scripts'),
        `${rest}: use npm ci --ignore-scripts`,
      );
  }
  for (const { rest } of only('RUN'))
    assert(/^rm -rf /.test(rest), `the final stage runs ${rest}`);
  assert(
    only('RUN').some(({ rest }) => rest.includes('npm')),
    'the final stage keeps npm',
  );
  for (const { rest } of only('COPY')) {
    assert(
      /--chown=root:root\b/.test(rest),
      `COPY ${rest}: files must belong to root, so that the service cannot change them`,
    );
    assert(
      !/(^|\s)\.\s/.test(` ${rest.replace(/--\S+/g, '')}`),
      `COPY ${rest}: name what goes into the image`,
    );
  }
  const user = only('USER').at(-1)?.rest;
  assert(user && !/^(root|0)\b/.test(user), 'it runs as root');
  assert(
    last.findIndex(({ name }) => name === 'USER') >
      last.findLastIndex(({ name }) => name === 'COPY'),
    'USER must follow the last COPY',
  );
  equal(only('HEALTHCHECK').length, 1, 'the number of health checks');
  assert(
    /^--.*\bCMD \[/.test(only('HEALTHCHECK')[0].rest),
    'HEALTHCHECK needs limits and a list, no shell',
  );
  const command = only('CMD');
  assert(
    command.length === 1 && command[0].rest.startsWith('['),
    'CMD must be a list: a shell would not pass SIGTERM on',
  );
  assert(
    /NODE_ENV=production/.test(
      only('ENV')
        .map(e => e.rest)
        .join(' '),
    ),
    'NODE_ENV',
  );
}

/** The pipeline of the option that was chosen, the Dockerfile, and nothing of the other pipeline. */
export async function checkSupplyChain(
  report: Report,
  root: string,
  ci: string,
  label: string,
): Promise<void> {
  const github = path.join(root, '.github/workflows/ci.yml');
  const gitlab = path.join(root, '.gitlab-ci.yml');
  await report.check(`${label}: pipeline: the one that was asked for`, () => {
    equal(
      [existsSync(github), existsSync(gitlab)],
      [ci === 'github', ci === 'gitlab'],
      'which pipelines are there',
    );
  });
  await report.check(
    `${label}: pipeline: pinned, bounded, least privilege`,
    () => {
      const text = readFileSync(ci === 'github' ? github : gitlab, 'utf8');
      if (ci === 'github') checkGithub(text);
      else checkGitlab(text);
      for (const image of imagesIn(text))
        assert(IMAGE.test(image), `${image} is not pinned by tag and digest`);
      assert(!/:latest\b/.test(text), 'latest');
      for (const part of STAGES)
        assert(text.includes(part), `there is no ${part}`);
    },
  );
  await report.check(`${label}: Dockerfile: small, pinned, not root`, () =>
    checkDockerfile(readFileSync(path.join(root, 'Dockerfile'), 'utf8')),
  );
}
