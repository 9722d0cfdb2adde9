/** A finished deployment. Times in milliseconds since 1970. */
export interface DoraDeployment {
  id: string;
  commit: string;
  outcome: 'succeeded' | 'failed' | 'rolled-back';
  startedAt: number;
  finishedAt: number;
  /** Ids of deployments that it makes good. */
  remediates: readonly string[];
  /** Commits that it says it brought to the environment. */
  brought: readonly string[];
}

/** Everything known of one component in one environment. */
export interface DoraHistory {
  /** In any order. */
  deployments: readonly DoraDeployment[];
  /** By commit: commits that it contains, as far as they were reported. */
  contents: ReadonlyMap<string, readonly string[]>;
  /** When commits were committed, milliseconds since 1970. */
  commitTimes: ReadonlyMap<string, number>;
}

/** A change that was deployed, and how it ended. */
export interface ChangeSample {
  /** When the deployment ended, milliseconds since 1970. */
  at: number;
  id: string;
  succeeded: boolean;
  /** It failed, was rolled back, or had to be made good by another one. */
  failure: boolean;
}

/** What the metrics of one component in one environment are counted from. Times in milliseconds since 1970. */
export interface DoraSamples {
  changes: ChangeSample[];
  /** One per commit: when it was deployed with success first, and how long that took. */
  leadTimes: { at: number; sha: string; seconds: number }[];
  /** One per failure that was made good: when that was, and how long it took. */
  recoveries: { at: number; id: string; seconds: number }[];
  /** Failures that nothing made good so far: when they came about. */
  open: { at: number; id: string }[];
}

const seconds = (from: number, to: number) => Math.max(0, (to - from) / 1000);

/** `head` and what it contains, as far as known, without what `done` has and what that contains. */
export function containedCommits(
  head: string,
  contents: DoraHistory['contents'],
  done: ReadonlySet<string> = new Set(),
): Set<string> {
  const found = new Set<string>();
  const next = [head];
  while (next.length > 0) {
    const sha = next.pop()!;
    if (!found.has(sha) && !done.has(sha)) {
      found.add(sha);
      next.push(...(contents.get(sha) ?? []));
    }
  }
  return found;
}

/** Deployments that put an earlier version back, with the one that each of them took away. */
function findRollBacks(
  deployments: readonly DoraDeployment[],
  contents: DoraHistory['contents'],
): Map<DoraDeployment, DoraDeployment | undefined> {
  const rollBacks = new Map<DoraDeployment, DoraDeployment | undefined>();
  // What ran, the version that runs now at the end; going back takes versions off it.
  const line: DoraDeployment[] = [];
  let before: DoraDeployment | undefined;
  for (const deployment of deployments) {
    const live = line[line.length - 1];
    if (deployment.outcome === 'succeeded') {
      const earlier = line.findIndex(one => one.commit === deployment.commit);
      if (live === undefined) {
        line.push(deployment);
      } else if (live.commit === deployment.commit) {
        // The same version again: a roll-back when it follows one that did not take its place.
        if (
          before &&
          before.outcome !== 'succeeded' &&
          before.commit !== live.commit
        ) {
          rollBacks.set(deployment, undefined);
        }
        line[line.length - 1] = deployment;
      } else if (
        earlier !== -1 ||
        containedCommits(live.commit, contents).has(deployment.commit)
      ) {
        rollBacks.set(deployment, live);
        line.length = earlier === -1 ? line.length - 1 : earlier;
        line.push(deployment);
      } else {
        line.push(deployment);
      }
    }
    before = deployment;
  }
  return rollBacks;
}

/**
 * Counts what the four metrics stand on; `DORA_DEFINITIONS` says by which
 * rules. The order of the deployments does not matter.
 */
export function doraSamples(history: DoraHistory): DoraSamples {
  const { contents, commitTimes } = history;
  const deployments = [...history.deployments].sort(
    (a, b) => a.finishedAt - b.finishedAt || (a.id < b.id ? -1 : 1),
  );
  const rollBacks = findRollBacks(deployments, contents);
  const takenAway = new Map<DoraDeployment, DoraDeployment>();
  for (const [rollBack, of] of rollBacks) {
    if (of) takenAway.set(of, rollBack);
  }
  const samples: DoraSamples = {
    changes: [],
    leadTimes: [],
    recoveries: [],
    open: [],
  };
  const delivered = new Set<string>();
  let first = true;

  deployments.forEach((deployment, index) => {
    const { id, outcome, startedAt, finishedAt } = deployment;
    const remedies = deployments
      .slice(index + 1)
      .filter(one => one.remediates.includes(id));
    const failure =
      outcome !== 'succeeded' ||
      remedies.length > 0 ||
      takenAway.has(deployment);

    if (!rollBacks.has(deployment)) {
      samples.changes.push({
        at: finishedAt,
        id,
        succeeded: outcome === 'succeeded',
        failure,
      });
    }

    if (failure) {
      const well = remedies.find(one => one.outcome === 'succeeded');
      const next =
        outcome === 'failed'
          ? deployments
              .slice(index + 1)
              .find(one => one.outcome === 'succeeded')
          : undefined;
      const remedy = well ?? takenAway.get(deployment) ?? next;
      if (outcome === 'rolled-back') {
        // It says itself when the version before it was back.
        samples.recoveries.push({
          at: finishedAt,
          id,
          seconds: seconds(startedAt, finishedAt),
        });
      } else if (remedy) {
        samples.recoveries.push({
          at: remedy.finishedAt,
          id,
          seconds: seconds(finishedAt, remedy.finishedAt),
        });
      } else {
        samples.open.push({ at: finishedAt, id });
      }
    }

    if (outcome === 'succeeded') {
      const contained = containedCommits(
        deployment.commit,
        contents,
        delivered,
      );
      deployment.brought.forEach(sha => {
        if (!delivered.has(sha)) contained.add(sha);
      });
      // What an environment had before its first known deployment is not known:
      // then only the commits count that the deployment itself says it brought.
      const counted = first ? new Set(deployment.brought) : contained;
      first = false;
      for (const sha of contained) {
        delivered.add(sha);
        const time = commitTimes.get(sha);
        if (time !== undefined && counted.has(sha)) {
          samples.leadTimes.push({
            at: finishedAt,
            sha,
            seconds: seconds(time, finishedAt),
          });
        }
      }
    }
  });
  samples.leadTimes.sort((a, b) => a.at - b.at || (a.sha < b.sha ? -1 : 1));
  return samples;
}
