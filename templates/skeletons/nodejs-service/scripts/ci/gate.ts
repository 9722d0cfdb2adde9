/**
 * Decides what the reports of the scan engines are worth: a High or Critical finding that has a fix fails, unless
 * security-exceptions.json excuses it until a day that has not passed.
 *
 * node scripts/ci/gate.ts REPORT...     JSON of osv-scanner and grype; ends with 1 on a finding, 2 on a report it cannot read
 */
import { existsSync, readFileSync } from 'node:fs';

export type Finding = {
  engine: 'osv-scanner' | 'grype';
  /** The id and what else it is called. */
  ids: string[];
  package: string;
  version: string;
  severity: 'critical' | 'high' | 'lower';
  /** The first version without it, if there is one. */
  fixed?: string;
};

export type Exception = { id: string; reason: string; until: string };

/** An exception is a loan: no longer than this, in days. */
const LONGEST = 180;

/** Bands of CVSS 3 and 4: from 7.0 high, from 9.0 critical. */
function band(score: number): Finding['severity'] {
  if (score >= 9) return 'critical';
  return score >= 7 ? 'high' : 'lower';
}

function osvFindings(report: any): Finding[] {
  return report.results.flatMap(({ packages = [] }: any) =>
    packages.flatMap((entry: any) =>
      (entry.groups ?? []).map((group: any): Finding => {
        const ids: string[] = [...new Set([...group.ids, ...(group.aliases ?? [])])] as string[];
        const own = (entry.vulnerabilities ?? []).filter((vulnerability: any) => ids.includes(vulnerability.id));
        const fixed = own
          .flatMap((vulnerability: any) => vulnerability.affected ?? [])
          .filter((affected: any) => affected.package?.name === entry.package.name)
          .flatMap((affected: any) => affected.ranges ?? [])
          .flatMap((range: any) => range.events ?? [])
          .find((event: any) => event.fixed)?.fixed;
        const malicious = ids.some(id => id.startsWith('MAL-'));
        return {
          engine: 'osv-scanner',
          ids,
          package: entry.package.name,
          version: entry.package.version,
          severity: malicious ? 'critical' : band(Number(group.max_severity || 0)),
          // A package that is malware has to go, fix or not.
          ...(malicious ? { fixed: 'none: remove it' } : fixed ? { fixed } : {}),
        };
      }),
    ),
  );
}

function grypeFindings(report: any): Finding[] {
  return report.matches.map(({ vulnerability, relatedVulnerabilities = [], artifact }: any): Finding => {
    const severity = String(vulnerability.severity).toLowerCase();
    return {
      engine: 'grype',
      ids: [...new Set([vulnerability.id, ...relatedVulnerabilities.map((other: any) => other.id)])] as string[],
      package: artifact.name,
      version: artifact.version,
      severity: severity === 'critical' || severity === 'high' ? severity : 'lower',
      ...(vulnerability.fix?.state === 'fixed' ? { fixed: vulnerability.fix.versions?.[0] ?? 'yes' } : {}),
    };
  });
}

/** Throws an Error that says what is wrong with the report: a scan that did not happen must not pass. */
export function readReport(text: string, file: string): Finding[] {
  let report: any;
  try {
    report = JSON.parse(text);
  } catch {
    throw new Error(`${file} is not JSON; did the scanner run?`);
  }
  if (Array.isArray(report?.results)) return osvFindings(report);
  if (Array.isArray(report?.matches)) return grypeFindings(report);
  throw new Error(`${file} is no report of osv-scanner or grype`);
}

/** Throws an Error that names the entry and the field. */
export function readExceptions(text: string, today: string): Exception[] {
  const list = JSON.parse(text) as Exception[];
  if (!Array.isArray(list)) throw new Error('security-exceptions.json must be a list');
  const last = new Date(Date.parse(today) + LONGEST * 86_400_000).toISOString().slice(0, 10);
  list.forEach((entry, index) => {
    const at = `security-exceptions.json, entry ${index + 1}`;
    if (typeof entry.id !== 'string' || !entry.id) throw new Error(`${at}: id is missing`);
    if (typeof entry.reason !== 'string' || entry.reason.length < 10)
      throw new Error(`${at}: reason must be a sentence`);
    if (!/^\d{4}-\d{2}-\d{2}$/.test(entry.until) || Number.isNaN(Date.parse(entry.until))) {
      throw new Error(`${at}: until must be a day like ${today}`);
    }
    if (entry.until > last) throw new Error(`${at}: until must be ${last} or earlier (${LONGEST} days at most)`);
  });
  return list;
}

export type Verdict = { refused: string[]; excused: string[]; counted: number };

/** Sorts the findings out; `today` is a day, YYYY-MM-DD, the last one on which an exception counts. */
export function judge(findings: Finding[], exceptions: Exception[], today: string): Verdict {
  const verdict: Verdict = { refused: [], excused: [], counted: findings.length };
  for (const finding of findings) {
    if (finding.severity === 'lower' || !finding.fixed) continue;
    const what = `${finding.ids.join(', ')}: ${finding.package} ${finding.version}, ${finding.severity}, fixed in ${finding.fixed} (${finding.engine})`;
    const excuse = exceptions.find(({ id }) => finding.ids.includes(id));
    if (excuse && excuse.until >= today) verdict.excused.push(`${what}; until ${excuse.until}: ${excuse.reason}`);
    else verdict.refused.push(excuse ? `${what}; its exception ended on ${excuse.until}` : what);
  }
  return verdict;
}

if (import.meta.main) {
  try {
    const files = process.argv.slice(2);
    if (files.length === 0) throw new Error('Name the reports');
    const today = new Date().toISOString().slice(0, 10);
    const findings = files.flatMap(file => readReport(readFileSync(file, 'utf8'), file));
    const list = 'security-exceptions.json';
    const exceptions = existsSync(list) ? readExceptions(readFileSync(list, 'utf8'), today) : [];
    const { refused, excused, counted } = judge(findings, exceptions, today);
    for (const line of excused) console.log(`excused  ${line}`);
    for (const line of refused) console.error(`refused  ${line}`);
    console.log(`${counted} findings, ${excused.length} excused, ${refused.length} refused`);
    process.exitCode = refused.length > 0 ? 1 : 0;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 2;
  }
}
