import { InputFileError } from '../errors';
import type { CoverageReport } from '../types';
import { count, readXml } from './xml';

/**
 * Cobertura's own sums where the report has them, else its lines: each line of each file once. Functions are not counted, for tools
 * disagree on what a method is.
 */
export function readCobertura(text: string, shown: string): CoverageReport {
  const said: Record<string, number | undefined> = {};
  const lines = new Map<string, number>();
  const branches = new Map<string, { covered: number; total: number }>();
  let file = '';
  readXml(text, shown, {
    open(name, attributes, path) {
      if (path.length === 1)
        for (const sum of [
          'lines-covered',
          'lines-valid',
          'branches-covered',
          'branches-valid',
        ])
          said[sum] = count(attributes, sum, shown);
      else if (name === 'class')
        file = attributes.filename ?? attributes.name ?? '';
      // Not those below <method>, which are the same lines once more.
      else if (name === 'line' && path[path.length - 3] === 'class') {
        const key = `${file}\0${attributes.number}`;
        const hits = count(attributes, 'hits', shown) ?? 0;
        lines.set(key, Math.max(lines.get(key) ?? 0, hits));
        const condition = /\((\d+)\/(\d+)\)/.exec(
          attributes['condition-coverage'] ?? '',
        );
        if (condition)
          branches.set(key, {
            covered: Number(condition[1]),
            total: Number(condition[2]),
          });
      }
    },
  });
  const report: CoverageReport = {};
  const { 'lines-covered': covered, 'lines-valid': valid } = said;
  if (covered !== undefined && valid !== undefined) {
    report.lines = { covered, total: valid };
  } else if (lines.size > 0) {
    report.lines = {
      covered: [...lines.values()].filter(hits => hits > 0).length,
      total: lines.size,
    };
  }
  const { 'branches-covered': taken, 'branches-valid': all } = said;
  if (taken !== undefined && all !== undefined) {
    if (all > 0) report.branches = { covered: taken, total: all };
  } else if (branches.size > 0) {
    const counts = [...branches.values()];
    report.branches = {
      covered: counts.reduce((n, c) => n + c.covered, 0),
      total: counts.reduce((n, c) => n + c.total, 0),
    };
  }
  return checked(report, shown);
}

/** The counters of the whole report, which stand directly below it; those of groups and packages are parts of them. */
export function readJacoco(text: string, shown: string): CoverageReport {
  const report: CoverageReport = {};
  const metrics: Record<string, keyof CoverageReport> = {
    LINE: 'lines',
    BRANCH: 'branches',
    METHOD: 'functions',
  };
  readXml(text, shown, {
    open(name, attributes, path) {
      const metric = metrics[attributes.type];
      if (name !== 'counter' || path.length !== 2 || !metric) return;
      const missed = count(attributes, 'missed', shown);
      const covered = count(attributes, 'covered', shown);
      if (missed === undefined || covered === undefined)
        throw new InputFileError(
          shown,
          `the counter ${attributes.type} needs missed and covered`,
        );
      if (missed + covered > 0)
        report[metric] = { covered, total: missed + covered };
    },
  });
  return report;
}

function checked(report: CoverageReport, shown: string): CoverageReport {
  for (const [metric, counts] of Object.entries(report))
    if (counts && counts.covered > counts.total)
      throw new InputFileError(
        shown,
        `more ${metric} covered (${counts.covered}) than there are (${counts.total})`,
      );
  return report;
}
