import type {
  Build,
  RunningVersion,
  ScanReport,
  TestSuiteReport,
  VersionDifference,
} from '@rocket/plugin-ci-registry-common';

/** Line coverage of a build from 0 to 1; undefined when it was not reported or nothing can be covered. */
export function lineCoverage(
  build: Pick<Build, 'coverage'> | undefined,
): number | undefined {
  const lines = build?.coverage?.lines;
  return lines && lines.total > 0 ? lines.covered / lines.total : undefined;
}

/** A share as percent with one digit, rounded down so that `100 %` means all. */
export function percentText(share: number): string {
  return `${(Math.floor(share * 1000 + 1e-9) / 10).toFixed(1)} %`;
}

/** How the line coverage of two versions differs, in percentage points; undefined when a side is not known. */
export function coverageText(
  coverage: VersionDifference['lineCoverage'],
): string | undefined {
  const { before, after } = coverage;
  if (before === null || after === null) {
    return undefined;
  }
  const points = (after - before) * 100;
  if (Math.abs(points) < 0.05) {
    return `coverage as before, ${percentText(after)}`;
  }
  return `coverage ${points > 0 ? '+' : '−'}${Math.abs(points).toFixed(
    1,
  )} points, now ${percentText(after)}`;
}

/** All suites of a build together; undefined when none was reported. */
export function testCounts(build: Pick<Build, 'tests'>) {
  const { tests } = build;
  if (!tests || tests.length === 0) {
    return undefined;
  }
  const sum = (pick: (suite: TestSuiteReport) => number) =>
    tests.reduce((total, suite) => total + pick(suite), 0);
  return {
    passed: sum(suite => suite.passed),
    failed: sum(suite => suite.failed),
    skipped: sum(suite => suite.skipped),
  };
}

const SEVERITIES = ['critical', 'high', 'medium', 'low', 'unknown'] as const;

/** Findings of a scan in words, the worst first: `2 critical, 1 low`, or `no findings`. */
export function findingsText(scan: ScanReport): string {
  const found = SEVERITIES.filter(severity => scan[severity] > 0).map(
    severity =>
      severity === 'unknown'
        ? `${scan.unknown} without severity`
        : `${scan[severity]} ${severity}`,
  );
  if (found.length === 0) {
    return 'no findings';
  }
  return scan.fixable
    ? `${found.join(', ')}; ${scan.fixable} with a fix`
    : found.join(', ');
}

/** Environments in the order of the pages: production first, the rest by name. */
export function byEnvironment(a: string, b: string): number {
  const rank = (name: string) => Number(!/^prod(uction)?$/i.test(name));
  return rank(a) - rank(b) || a.localeCompare(b, 'en');
}

/** How far an environment is behind the most advanced one, in words; undefined when it is not known. */
export function behindText({
  behind,
}: Pick<RunningVersion, 'behind'>): string | undefined {
  if (behind === null) {
    return undefined;
  }
  if (behind === 0) {
    return 'the newest that is deployed';
  }
  return `${behind} ${
    behind === 1 ? 'commit' : 'commits'
  } behind the newest that is deployed`;
}
