import {
  containedCommits,
  type Build,
  type CommitReport,
  type Deployment,
  type RunningVersion,
  type VersionDifference,
} from '@rocket/plugin-ci-registry-common';

/** What is known of a component's commits. */
export interface KnownCommits {
  /** By commit: commits that it contains, as far as reported. */
  contents: ReadonlyMap<string, readonly string[]>;
  commits: ReadonlyMap<string, CommitReport>;
}

/** A version that was live, and since when (ISO 8601). */
interface Live {
  deployment: Deployment;
  since: string;
}

const endOf = (deployment: Deployment) =>
  deployment.finishedAt ?? deployment.startedAt;

/** What was live one after another, by the deployments of one component and environment. */
function liveVersions(deployments: readonly Deployment[]): Live[] {
  const live: Live[] = [];
  const finished = deployments
    .filter(one => ['succeeded', 'rolled-back'].includes(one.outcome))
    .sort(
      (a, b) =>
        Date.parse(endOf(a)) - Date.parse(endOf(b)) || (a.id < b.id ? -1 : 1),
    );
  for (const deployment of finished) {
    const before = live[live.length - 1];
    if (deployment.outcome === 'succeeded') {
      live.push({ deployment, since: endOf(deployment) });
    } else if (before) {
      // It ran for a while; at its end the version before it was back.
      live.push(
        { deployment, since: deployment.startedAt },
        { deployment: before.deployment, since: endOf(deployment) },
      );
    }
  }
  return live;
}

function differenceOf(
  now: Deployment,
  before: { commit: string; build?: Build },
  build: Build | undefined,
  known: KnownCommits,
): VersionDifference {
  const has = containedCommits(now.commit, known.contents);
  const had = containedCommits(before.commit, known.contents);
  const without = (a: Set<string>, b: Set<string>) =>
    [...a]
      .filter(sha => !b.has(sha))
      .flatMap(sha => known.commits.get(sha) ?? [])
      .sort((x, y) => Date.parse(y.time) - Date.parse(x.time));
  const forward = has.has(before.commit);
  const back = had.has(now.commit);
  let added: CommitReport[] | null = null;
  if (forward || back) {
    added = without(has, had);
  } else if (now.commits) {
    added = now.commits;
  }
  const digests = (of: Build | undefined) =>
    new Map(of?.artifacts?.map(({ name, digest }) => [name, digest]));
  const [ours, theirs] = [digests(build), digests(before.build)];
  const share = (of: Build | undefined) => {
    const lines = of?.coverage?.lines;
    return lines && lines.total > 0 ? lines.covered / lines.total : null;
  };
  return {
    added,
    removed: forward || back ? without(had, has) : null,
    digests: [...new Set([...ours.keys(), ...theirs.keys()])]
      .filter(name => ours.get(name) !== theirs.get(name))
      .map(name => ({
        name,
        before: theirs.get(name),
        after: ours.get(name),
      })),
    lineCoverage: { before: share(before.build), after: share(build) },
  };
}

/** How many commits the most advanced environment has that this one lacks; by environment, null when not known. */
function behindOf(
  commits: ReadonlyMap<string, string>,
  contents: KnownCommits['contents'],
): Map<string, number | null> {
  const closures = new Map(
    [...commits].map(([environment, commit]) => [
      environment,
      containedCommits(commit, contents),
    ]),
  );
  const reach = (environment: string) =>
    [...commits.values()].filter(commit =>
      closures.get(environment)!.has(commit),
    ).length;
  const [ahead] = [...commits.keys()].sort((a, b) => reach(b) - reach(a));
  return new Map(
    [...commits].map(([environment, commit]) => {
      const all = closures.get(ahead)!;
      const own = closures.get(environment)!;
      return [
        environment,
        all.has(commit) ? [...all].filter(sha => !own.has(sha)).length : null,
      ];
    }),
  );
}

/**
 * What runs of one component in each environment. `buildOf` answers the build
 * of a commit, when one was reported.
 */
export function runningVersions(
  component: string,
  deployments: readonly Deployment[],
  known: KnownCommits,
  buildOf: (commit: string) => Build | undefined,
): RunningVersion[] {
  const environments = [...new Set(deployments.map(d => d.environment))].sort();
  const versions = environments.flatMap<RunningVersion>(environment => {
    const here = deployments.filter(d => d.environment === environment);
    const live = liveVersions(here);
    const now = live[live.length - 1];
    if (!now) {
      return [];
    }
    const { deployment, since } = now;
    const last = live
      .slice(0, -1)
      .reverse()
      .find(
        ({ deployment: one }) =>
          one.commit !== deployment.commit ||
          one.version !== deployment.version,
      )?.deployment;
    const told = deployment.replaced;
    const previous =
      last ??
      (told && told.commit !== deployment.commit
        ? {
            id: undefined,
            version: told.version ?? told.commit,
            commit: told.commit,
          }
        : undefined);
    const build = buildOf(deployment.commit);
    const difference =
      previous &&
      differenceOf(
        deployment,
        { commit: previous.commit, build: buildOf(previous.commit) },
        build,
        known,
      );
    const inProgress = here
      .filter(one => one.outcome === 'in-progress')
      .sort((a, b) => Date.parse(b.startedAt) - Date.parse(a.startedAt))[0];
    return [
      {
        component,
        environment,
        deployment,
        since,
        build,
        previous: previous && {
          version: previous.version,
          commit: previous.commit,
          deploymentId: previous.id,
        },
        difference,
        commits: deployment.commits ?? difference?.added ?? [],
        inProgress,
        behind: null,
      },
    ];
  });
  const behind = behindOf(
    new Map(versions.map(one => [one.environment, one.deployment.commit])),
    known.contents,
  );
  return versions.map(one => ({
    ...one,
    behind: behind.get(one.environment) ?? null,
  }));
}
