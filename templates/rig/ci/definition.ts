/** Reads `templates/skeletons/ci/pipeline.yaml`, the one definition of a service's pipeline. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse, type Document } from 'yaml';

export const CI_FOLDER = path.resolve(__dirname, '../../skeletons/ci');

export type Command = { name: string; run: string };

export type Artifact = {
  name: string;
  paths: string[];
  /** How long it is kept. */
  days: number;
  /** Kept also when the job failed. */
  always?: boolean;
};

export type Job = {
  id: string;
  stage: string;
  /** `node`: Node.js with git; `docker`: a shell beside a Docker engine. */
  runner: 'node' | 'docker';
  /** Time limit. */
  minutes: number;
  steps: Command[];
  /** Run whatever became of the steps. */
  finally?: Command[];
  /** `npm ci` first; default for `node`. */
  install?: boolean;
  /** The whole history, not one commit. */
  history?: boolean;
  services?: 'postgres'[];
  needs?: string[];
  /** Artifacts of the jobs in `needs` that it takes. */
  reads?: string[];
  only?: 'main';
  /** Runs also after a failed need. */
  always?: boolean;
  /** A setting without which it does not run. */
  when?: string;
  /** Settings that its commands see. */
  uses?: string[];
  /** May push to the registry. */
  registry?: boolean;
  /** Who OpenID Connect tokens are for. */
  identity?: ('sigstore' | 'cloud' | 'rocket')[];
  /** More than `contents: read`, GitHub. */
  permissions?: Record<string, string>;
  environment?: string;
  artifact?: Artifact;
  /** Where the coverage stands in the log, GitLab. */
  coverage?: string;
};

export type Pipeline = {
  name: string;
  branch: string;
  actions: Record<string, { uses: string; version: string }>;
  images: Record<string, string>;
  variables: Record<
    string,
    { github: string; gitlab: string | { change: string; push: string } }
  >;
  settings: { variables: string[]; secrets: string[] };
  stages: string[];
  jobs: Job[];
};

/** Throws an Error that names the job and the field. */
export function readPipeline(
  text = readFileSync(path.join(CI_FOLDER, 'pipeline.yaml'), 'utf8'),
): Pipeline {
  const pipeline = parse(text) as Pipeline;
  const settings = [
    ...pipeline.settings.variables,
    ...pipeline.settings.secrets,
  ];
  const seen = new Map<string, Job>();
  for (const job of pipeline.jobs) {
    const bad = (message: string): never => {
      throw new Error(`pipeline.yaml: job ${job.id}: ${message}`);
    };
    if (seen.has(job.id)) bad('is there twice');
    if (!pipeline.stages.includes(job.stage)) bad(`no stage ${job.stage}`);
    if (!Number.isInteger(job.minutes) || job.minutes < 1)
      bad('minutes must be a whole number of 1 or more');
    for (const need of job.needs ?? [])
      if (!seen.has(need)) bad(`needs ${need}, which does not come before it`);
    for (const name of job.reads ?? []) producer(job, name, seen);
    for (const name of [job.when, ...(job.uses ?? [])])
      if (name && !settings.includes(name)) bad(`no setting ${name}`);
    for (const { run } of [...job.steps, ...(job.finally ?? [])])
      for (const [, image] of run.matchAll(/\{([a-z][a-z-]*)\}/g))
        if (!pipeline.images[image]) bad(`no image {${image}}`);
    seen.set(job.id, job);
  }
  return pipeline;
}

/** The job in `needs` that leaves the artifact. */
export function producer(
  job: Job,
  name: string,
  jobs: Map<string, Job>,
): Artifact {
  for (const need of job.needs ?? []) {
    const { artifact } = jobs.get(need)!;
    if (artifact?.name === name) return artifact;
  }
  throw new Error(
    `pipeline.yaml: job ${job.id}: none of its needs leaves the artifact ${name}`,
  );
}

/** Commands with the images put in. */
export function commands(pipeline: Pipeline, steps: Command[]): Command[] {
  return steps.map(({ name, run }) => ({
    name,
    run: run
      .replace(
        /\{([a-z][a-z-]*)\}/g,
        (whole, image) => pipeline.images[image] ?? whole,
      )
      .trimEnd(),
  }));
}

export const NOTICE = [
  ' Written from the golden template; a change here is yours and stays. Actions are pinned by commit and images by digest:',
  ' let Renovate or Dependabot raise them. What each variable means is in docs/delivery.md.',
].join('\n');

/** The document's text with an empty line before each section and each job. */
export function airy(document: Document): string {
  let inJobs = false;
  return document
    .toString({ lineWidth: 0 })
    .split('\n')
    .flatMap(line => {
      const section = /^[a-z]/.test(line);
      const job = inJobs && /^ {2}[a-z][a-z-]*:$/.test(line);
      if (section) inJobs = line === 'jobs:';
      return section || job ? ['', line] : [line];
    })
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .replace(/^jobs:\n\n/m, 'jobs:\n');
}
