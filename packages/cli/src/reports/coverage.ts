import { InputFileError } from '../errors';
import { readBounded } from '../files';
import type { CoverageCounts, CoverageReport } from '../types';
import { readCobertura, readJacoco } from './coverageXml';
import { rootOf } from './xml';

/** Reports of large repositories are some tens of megabytes. */
export const MAX_REPORT_BYTES = 128 * 1024 * 1024;

const METRICS = ['lines', 'branches', 'functions'] as const;

/** Reads a coverage report, whichever of the four it is; InputFileError names the file and what is wrong. */
export function readCoverage(file: string, shown = file): CoverageReport {
  const text = readBounded(file, MAX_REPORT_BYTES, shown).text();
  const report = parseCoverage(text, shown);
  if (METRICS.every(metric => !report[metric]?.total))
    throw new InputFileError(shown, 'covers nothing; did the tests run?');
  return report;
}

export function parseCoverage(text: string, shown: string): CoverageReport {
  const start = text.slice(0, 4096).trimStart();
  if (/^mode: *(?:set|count|atomic)\s/.test(start)) return readGo(text, shown);
  const root = rootOf(text);
  if (root === 'coverage') return readCobertura(text, shown);
  if (root === 'report') return readJacoco(text, shown);
  if (/^(?:#.*\n|TN:.*\n|\s)*SF:/.test(text.slice(0, 65_536)))
    return readLcov(text, shown);
  throw new InputFileError(
    shown,
    'is no coverage report of lcov, Cobertura, JaCoCo or Go',
  );
}

/** The sum of several reports; they must not be about the same files. */
export function addCoverage(reports: CoverageReport[]): CoverageReport {
  const sum: CoverageReport = {};
  for (const metric of METRICS) {
    const counts = reports.flatMap(report => report[metric] ?? []);
    if (counts.length > 0)
      sum[metric] = {
        covered: counts.reduce((n, c) => n + c.covered, 0),
        total: counts.reduce((n, c) => n + c.total, 0),
      };
  }
  return sum;
}

/** Covered are those that were hit at least once. */
export function tally(hits: Map<string, number>): CoverageCounts {
  let covered = 0;
  for (const n of hits.values()) if (n > 0) covered += 1;
  return { covered, total: hits.size };
}

export function hit(hits: Map<string, number>, key: string, n: number): void {
  hits.set(key, (hits.get(key) ?? 0) + n);
}

function whole(text: string, place: string): number {
  const value = Number(text);
  if (text === '' || !Number.isSafeInteger(value) || value < 0)
    throw new InputFileError(
      place,
      `must hold a whole number of 0 or more, was ${JSON.stringify(text)}`,
    );
  return value;
}

/**
 * `geninfo(1)`. Records of one file under several tests are united: a line is covered when any of them ran it. Where a file has only
 * sums (LF/LH, BRF/BRH, FNF/FNH), those are taken.
 */
function readLcov(text: string, shown: string): CoverageReport {
  const hits = {
    lines: new Map<string, number>(),
    branches: new Map<string, number>(),
    functions: new Map<string, number>(),
  };
  const sums = { lines: 0, branches: 0, functions: 0 };
  const hitSums = { lines: 0, branches: 0, functions: 0 };
  type Metric = keyof typeof hits;
  let file: string | undefined;
  let said: Partial<Record<Metric, { found: number; hit: number }>> = {};
  let detailed = new Set<Metric>();
  const SUMS: Record<string, [Metric, 'found' | 'hit']> = {
    LF: ['lines', 'found'],
    LH: ['lines', 'hit'],
    BRF: ['branches', 'found'],
    BRH: ['branches', 'hit'],
    FNF: ['functions', 'found'],
    FNH: ['functions', 'hit'],
  };
  text.split(/\r?\n/).forEach((line, index) => {
    const place = `${shown}:${index + 1}`;
    const at = line.indexOf(':');
    const tag = at < 0 ? line.trim() : line.slice(0, at);
    const rest = line.slice(at + 1);
    if (tag === 'SF') {
      file = rest;
      said = {};
      detailed = new Set();
    } else if (tag === 'end_of_record') {
      for (const metric of ['lines', 'branches', 'functions'] as const) {
        const sum = said[metric];
        if (detailed.has(metric) || !sum) continue;
        if (sum.hit > sum.found)
          throw new InputFileError(place, `more ${metric} hit than found`);
        sums[metric] += sum.found;
        hitSums[metric] += sum.hit;
      }
      file = undefined;
    } else if (file === undefined) {
      if (['DA', 'BRDA', 'FN', 'FNDA'].includes(tag))
        throw new InputFileError(place, `${tag} stands outside of a file (SF)`);
    } else if (tag === 'DA') {
      const [number, n] = rest.split(',');
      detailed.add('lines');
      hit(
        hits.lines,
        `${file}\0${whole(number, place)}`,
        whole(n ?? '', place),
      );
    } else if (tag === 'BRDA') {
      const parts = rest.split(',');
      const taken = parts[parts.length - 1];
      detailed.add('branches');
      hit(
        hits.branches,
        `${file}\0${parts.slice(0, -1).join(',')}`,
        taken === '-' ? 0 : whole(taken, place),
      );
    } else if (tag === 'FNDA') {
      const comma = rest.indexOf(',');
      detailed.add('functions');
      hit(
        hits.functions,
        `${file}\0${rest.slice(comma + 1)}`,
        whole(rest.slice(0, Math.max(comma, 0)), place),
      );
    } else if (SUMS[tag]) {
      const [metric, which] = SUMS[tag];
      said[metric] = { found: 0, hit: 0, ...said[metric] };
      said[metric][which] = whole(rest.trim(), place);
    }
  });
  if (file !== undefined)
    throw new InputFileError(
      shown,
      'ends in the middle of a file; was it cut off?',
    );
  const report: CoverageReport = {};
  for (const metric of ['lines', 'branches', 'functions'] as const) {
    const { covered, total } = tally(hits[metric]);
    if (total + sums[metric] > 0)
      report[metric] = {
        covered: covered + hitSums[metric],
        total: total + sums[metric],
      };
  }
  return report;
}

/**
 * A profile of `go test -coverprofile`. Go counts statements, not lines; they stand under `lines`. A block that several packages'
 * tests ran is there once for each, and counts once.
 */
function readGo(text: string, shown: string): CoverageReport {
  const blocks = new Map<string, { statements: number; hits: number }>();
  text.split(/\r?\n/).forEach((line, index) => {
    // Profiles that were joined repeat the mode.
    if (line.trim() === '' || line.startsWith('mode:')) return;
    const match = /^(.+:\d+\.\d+,\d+\.\d+) (\d+) (\d+)$/.exec(line);
    if (!match)
      throw new InputFileError(
        `${shown}:${index + 1}`,
        'is no block of a Go cover profile (file:line.column,line.column statements count)',
      );
    const block = blocks.get(match[1]);
    blocks.set(match[1], {
      statements: Number(match[2]),
      hits: (block?.hits ?? 0) + Number(match[3]),
    });
  });
  const lines = { covered: 0, total: 0 };
  for (const { statements, hits } of blocks.values()) {
    lines.total += statements;
    if (hits > 0) lines.covered += statements;
  }
  return lines.total > 0 ? { lines } : {};
}
