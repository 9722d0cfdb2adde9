import type {
  BuildReport,
  CommitReport,
  DeploymentReport,
  PushRequest,
} from '@rocket/plugin-ci-registry-common';
import type { TrafficMarker } from '../traffic';
import { hashInts, hashString } from '../traffic/random';

const MINUTE = 60_000;
/** What breaks is repaired, rolled back or found out within this time. */
export const LONGEST_RUN_MS = 90 * MINUTE;

const AUTHORS = ['Ada Lindqvist', 'Jonas Weber', 'Mei Tanaka', 'Omar Haddad'];
const SUBJECTS = [
  'Retry once when the connection is reset',
  'Name the field in validation errors',
  'Raise the pool of database connections',
  'Keep the idempotency key for a day',
  'Log the trace id with every refusal',
  'Round half to even as the schemes do',
  'Answer 409 for a key that is in use',
  'Update the dependencies',
];

/** What a pipeline of the demo organisation pushes, and when it is over. */
export interface PipelineRun {
  /** Epoch milliseconds. */
  at: number;
  push: PushRequest;
}

const iso = (time: number) => new Date(time).toISOString();

/** 40 hexadecimal digits that follow from the numbers. */
function shaOf(...values: number[]): string {
  const hash = hashInts(...values);
  return Array.from({ length: 5 }, (_, i) =>
    hashInts(hash, i).toString(16).padStart(8, '0'),
  ).join('');
}

/** Everything about one deployment follows from its marker. */
class Release {
  readonly application: string;
  readonly at: number;
  readonly commit: string;
  readonly version: string;
  readonly #hash: number;

  constructor(marker: TrafficMarker) {
    this.application = marker.application;
    this.at = marker.timestamp;
    this.commit = String(marker.attributes.commit);
    this.version = String(marker.attributes.version);
    this.#hash = hashInts(
      hashString(this.application),
      Math.floor(this.at / MINUTE),
    );
  }

  /** A number from 0 to `below` - 1 that is the same each time. */
  pick(below: number, salt: number): number {
    return hashInts(this.#hash, salt) % below;
  }

  get id(): string {
    return `${this.version}-${Math.floor(this.at / MINUTE)}`;
  }

  /** One in nine does not come up in production. */
  get fails(): boolean {
    return this.pick(9, 1) === 0;
  }

  sourceOf(commit: string, run: string, time: number): PushRequest['source'] {
    return {
      repository: `https://git.meridian.example/${this.application}`,
      commit,
      branch: 'main',
      pipeline: `https://ci.meridian.example/${this.application}/runs/${run}`,
      time: iso(time),
    };
  }

  commits(): CommitReport[] {
    let time = this.at - (16 + this.pick(30, 2)) * MINUTE;
    return Array.from({ length: 1 + this.pick(4, 3) }, (_, index) => {
      const commit = {
        sha: index === 0 ? this.commit : shaOf(this.#hash, 10 + index),
        time: iso(time),
        subject: SUBJECTS[this.pick(SUBJECTS.length, 20 + index)],
        author: AUTHORS[this.pick(AUTHORS.length, 30 + index)],
      };
      time -= (4 + this.pick(25, 40 + index)) * MINUTE;
      return commit;
    });
  }

  build(): BuildReport {
    const total = 3000 + (hashString(this.application) % 2500);
    const share = 0.84 + this.pick(110, 4) / 1000;
    const tests = 240 + (hashString(this.application) % 300);
    return {
      component: `component:default/${this.application}`,
      version: this.version,
      startedAt: iso(this.at - 11 * MINUTE),
      finishedAt: iso(this.at - 5 * MINUTE),
      outcome: 'succeeded',
      commits: this.commits(),
      coverage: { lines: { covered: Math.round(total * share), total } },
      tests: [
        { name: 'unit', passed: tests, failed: 0, skipped: 2, duration: 71 },
        { name: 'contract', passed: 38, failed: 0, skipped: 0, duration: 24 },
      ],
      scans: [
        {
          tool: 'grype',
          critical: 0,
          high: this.pick(2, 5),
          medium: this.pick(5, 6),
          low: this.pick(9, 7),
          unknown: 0,
        },
      ],
      artifacts: [
        {
          type: 'container-image',
          name: `registry.meridian.example/${this.application}`,
          digest: `sha256:${shaOf(this.#hash, 8)}${shaOf(this.#hash, 9).slice(
            0,
            24,
          )}`,
          tag: this.version,
        },
      ],
    };
  }

  deployment(
    environment: string,
    startedAt: number,
    minutes: number,
  ): DeploymentReport {
    return {
      id: `${environment}-${this.id}`,
      component: `component:default/${this.application}`,
      environment,
      version: this.version,
      commit: this.commit,
      startedAt: iso(startedAt),
      finishedAt: iso(startedAt + minutes * MINUTE),
      outcome: 'succeeded',
    };
  }
}

/** The deployment during which an incident began is rolled back when the incident ends. */
function incidentOf(
  release: Release,
  markers: readonly TrafficMarker[],
): { from: number; to: number; title: string } | undefined {
  for (const { eventType, application, attributes } of markers) {
    const from = Number(attributes.degradationTime);
    const to = Number(attributes.recoveryTime);
    if (
      eventType === 'NrAiIncident' &&
      attributes.event === 'close' &&
      application === release.application &&
      to > 0 &&
      from >= release.at &&
      from - release.at <= 10 * MINUTE
    ) {
      return { from, to, title: String(attributes.conditionName) };
    }
  }
  return undefined;
}

/**
 * What the pipelines of the demo organisation pushed: for every deployment of
 * the scenario its build, its way over staging to production and, when it does
 * not end well, what makes it good. The same markers give the same runs.
 */
export function pipelineRuns(markers: readonly TrafficMarker[]): PipelineRun[] {
  const runs: PipelineRun[] = [];
  /** The newest commit of each application's main branch. */
  const heads = new Map<string, string>();
  for (const marker of markers) {
    if (marker.eventType === 'NrAiIncident') {
      continue;
    }
    const release = new Release(marker);
    const incident = incidentOf(release, markers);
    const staging = release.deployment(
      'staging',
      release.at - 4 * MINUTE,
      2 + release.pick(2, 11),
    );
    const production = release.deployment(
      'production',
      release.at,
      2 + release.pick(2, 12),
    );
    if (incident) {
      Object.assign(production, {
        outcome: 'rolled-back',
        finishedAt: iso(incident.to),
        reason: `Alert: ${incident.title}`,
      });
    } else if (release.fails) {
      Object.assign(production, {
        outcome: 'failed',
        reason: 'The readiness probe of the new version did not answer',
      });
    }
    const build = release.build();
    const before = heads.get(release.application);
    heads.set(release.application, release.commit);
    runs.push({
      at: Date.parse(production.finishedAt!),
      push: {
        source: {
          ...release.sourceOf(
            release.commit,
            release.id,
            Date.parse(production.finishedAt!),
          ),
          ancestors: [
            ...build.commits!.slice(1).map(({ sha }) => sha),
            ...(before ? [before] : []),
          ],
        },
        builds: [build],
        deployments: [staging, production],
      },
    });
    if (!incident && release.fails) {
      const at = release.at + (19 + release.pick(40, 13)) * MINUTE;
      const run = repair(release, at, production.id);
      heads.set(release.application, run.push.source.commit);
      runs.push(run);
    }
  }
  return runs.sort((a, b) => a.at - b.at);
}

/** A commit that repairs what did not come up, and its deployment. */
function repair(release: Release, at: number, broken: string): PipelineRun {
  const commit = shaOf(hashString(release.commit), 77);
  const version = `${release.version}.1`;
  const component = `component:default/${release.application}`;
  const end = at + 3 * MINUTE;
  const commits = [
    {
      sha: commit,
      time: iso(at - 12 * MINUTE),
      subject: 'Put the missing setting back',
      author: AUTHORS[release.pick(AUTHORS.length, 14)],
    },
  ];
  return {
    at: end,
    push: {
      source: {
        ...release.sourceOf(commit, `${release.id}-repair`, end),
        ancestors: [release.commit],
      },
      builds: [
        {
          ...release.build(),
          version,
          startedAt: iso(at - 9 * MINUTE),
          finishedAt: iso(at - 3 * MINUTE),
          commits,
          artifacts: undefined,
        },
      ],
      deployments: [
        {
          id: `production-${release.id}-repair`,
          component,
          environment: 'production',
          version,
          commit,
          startedAt: iso(at),
          finishedAt: iso(end),
          outcome: 'succeeded',
          remediates: [broken],
        },
      ],
    },
  };
}
