import { InputError } from '@backstage/errors';
import type {
  BuildReport,
  DeploymentReport,
  PushProblem,
} from '@rocket/plugin-ci-registry-common';
import type { DeliveryReports } from '../PushPart';
import { toIso } from './rows';

/** Clocks of build machines run ahead a little; more than this is a mistake. */
const MAX_AHEAD_MS = 5 * 60_000;

/** What a shape cannot say of the reports of one push; `now` in ms since 1970. */
export function checkReports(
  { builds, deployments }: DeliveryReports,
  now: number,
): PushProblem[] {
  const problems: PushProblem[] = [];
  const wrong = (field: string, message: string) =>
    problems.push({ field, message, severity: 'error' });
  const seen = new Set<string>();
  const once = (field: string, key: string, message: string) => {
    if (seen.has(key)) wrong(field, message);
    seen.add(key);
  };
  const times = (at: string, report: BuildReport | DeploymentReport) => {
    if (!report.component.startsWith('component:')) {
      wrong(`${at}.component`, 'must be of kind component');
    }
    for (const name of ['startedAt', 'finishedAt'] as const) {
      const value = report[name];
      if (value !== undefined && Date.parse(value) > now + MAX_AHEAD_MS) {
        wrong(
          `${at}.${name}`,
          `${value} is ahead of this server's clock (${toIso(
            now,
          )}); set the clock of the pipeline's machine`,
        );
      }
    }
    report.commits?.forEach((commit, index) => {
      if (Date.parse(commit.time) > now + MAX_AHEAD_MS) {
        problems.push({
          field: `${at}.commits.${index}.time`,
          message: `${commit.time} is ahead of this server's clock; its lead time counts as 0`,
          severity: 'warning',
        });
      }
    });
  };
  builds.forEach((build, index) => {
    times(`builds.${index}`, build);
    once(
      `builds.${index}.component`,
      build.component,
      `${build.component} is given twice; a push holds one build per component`,
    );
  });
  deployments.forEach((deployment, index) => {
    times(`deployments.${index}`, deployment);
    once(
      `deployments.${index}.id`,
      `${deployment.component} ${deployment.id}`,
      `${deployment.id} of ${deployment.component} is given twice`,
    );
    if (deployment.remediates?.includes(deployment.id)) {
      wrong(
        `deployments.${index}.remediates`,
        'a deployment cannot make itself good; leave out its own id',
      );
    }
  });
  return problems;
}

/** Each report is in order; what several of them say together may not be. */
export function checkOrder(
  at: string,
  values: { startedAt?: unknown; finishedAt?: unknown },
): void {
  const { startedAt, finishedAt } = values;
  if (
    startedAt !== undefined &&
    finishedAt !== undefined &&
    Date.parse(String(startedAt)) > Date.parse(String(finishedAt))
  ) {
    throw new InputError(
      `${at}.finishedAt: ${finishedAt} is before the start that was reported, ${startedAt}`,
    );
  }
}
