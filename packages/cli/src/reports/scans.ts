import { InputFileError } from '../errors';
import { readBounded } from '../files';
import { oneLine } from '../text';
import type { ScanReport } from '../types';
import { MAX_REPORT_BYTES } from './coverage';

type Severity = 'critical' | 'high' | 'medium' | 'low' | 'unknown';

/** Bands of CVSS 3 and 4. */
function band(score: number): Severity {
  if (!(score > 0)) return 'unknown';
  if (score >= 9) return 'critical';
  if (score >= 7) return 'high';
  return score >= 4 ? 'medium' : 'low';
}

function empty(tool: string): ScanReport {
  return { tool, critical: 0, high: 0, medium: 0, low: 0, unknown: 0 };
}

/**
 * Reads a SARIF 2.1.0 log, or the JSON of osv-scanner or grype. One report for each tool.
 *
 * @param name - of the tool, instead of the one in the report; for a report of one tool
 * @throws InputFileError for anything else: a scan that did not happen must not look clean
 */
export function readScans(
  file: string,
  name?: string,
  shown = file,
): ScanReport[] {
  const text = readBounded(file, MAX_REPORT_BYTES, shown).text();
  return parseScans(text, shown, name);
}

export function parseScans(
  text: string,
  shown: string,
  name?: string,
): ScanReport[] {
  let report: any;
  try {
    report = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    throw new InputFileError(shown, 'is not JSON; did the scanner run?');
  }
  let scans: ScanReport[];
  if (Array.isArray(report?.runs)) scans = sarif(report, shown);
  else if (Array.isArray(report?.matches)) scans = [grype(report)];
  else if (Array.isArray(report?.results)) scans = [osv(report)];
  else
    throw new InputFileError(
      shown,
      'is no report in SARIF, or of osv-scanner or grype',
    );
  if (name !== undefined) {
    if (scans.length > 1)
      throw new InputFileError(
        shown,
        `holds ${scans.length} tools, so it cannot be named ${name}`,
      );
    scans[0].tool = name;
  }
  return scans;
}

function sarif(report: any, shown: string): ScanReport[] {
  const scans = new Map<string, ScanReport>();
  report.runs.forEach((run: any, index: number) => {
    const said = run?.tool?.driver?.name;
    const tool = typeof said === 'string' ? oneLine(said, 200) : undefined;
    if (tool === undefined)
      throw new InputFileError(
        shown,
        `runs.${index}.tool.driver.name is missing`,
      );
    const scan = scans.get(tool) ?? empty(tool);
    scans.set(tool, scan);
    // Null says that the tool could not look.
    if (!Array.isArray(run.results))
      throw new InputFileError(
        shown,
        `runs.${index}.results is missing: the scan has no result`,
      );
    for (const result of run.results) {
      const counts =
        (result?.kind ?? 'fail') === 'fail' &&
        result?.baselineState !== 'absent' &&
        !isSuppressed(result);
      if (counts) scan[severityOf(result, ruleOf(result, run))] += 1;
    }
  });
  return [...scans.values()];
}

/** A suppression that is under review or was rejected does not count. */
function isSuppressed(result: any): boolean {
  const list = result?.suppressions;
  return (
    Array.isArray(list) &&
    list.length > 0 &&
    list.every(entry => (entry?.status ?? 'accepted') === 'accepted')
  );
}

function ruleOf(result: any, run: any): any {
  const component =
    run.tool.extensions?.[result?.rule?.toolComponent?.index] ??
    run.tool.driver;
  const rules: any[] = Array.isArray(component.rules) ? component.rules : [];
  const index = result?.rule?.index ?? result?.ruleIndex;
  const id = result?.ruleId ?? result?.rule?.id;
  return rules[index] ?? rules.find(rule => rule?.id === id);
}

/** The score that GitHub's code scanning reads, else the level. */
function severityOf(result: any, rule: any): Severity {
  const score = Number(
    result?.properties?.['security-severity'] ??
      rule?.properties?.['security-severity'] ??
      NaN,
  );
  if (Number.isFinite(score)) return band(score);
  switch (result?.level ?? rule?.defaultConfiguration?.level ?? 'warning') {
    case 'error':
      return 'high';
    case 'warning':
      return 'medium';
    case 'note':
      return 'low';
    default:
      return 'unknown';
  }
}

/** A group is one vulnerability under all of its names. */
function osv(report: any): ScanReport {
  const scan = { ...empty('osv-scanner'), fixable: 0 };
  for (const result of report.results)
    for (const entry of result?.packages ?? []) {
      const all: any[] = entry?.vulnerabilities ?? [];
      for (const group of entry?.groups ?? []) {
        const ids: string[] = group?.ids ?? [];
        // What is malware has no score, and no version that is none.
        const malware = ids.some(id => String(id).startsWith('MAL-'));
        scan[
          malware ? 'critical' : band(Number(group?.max_severity || NaN))
        ] += 1;
        const fixed = all
          .filter(vulnerability => ids.includes(vulnerability?.id))
          .flatMap(vulnerability => vulnerability?.affected ?? [])
          .filter(a => a?.package?.name === entry?.package?.name)
          .flatMap(affected => affected?.ranges ?? [])
          .flatMap(range => range?.events ?? [])
          .some(event => event?.fixed);
        if (fixed) scan.fixable += 1;
      }
    }
  return scan;
}

function grype(report: any): ScanReport {
  const scan = { ...empty('grype'), fixable: 0 };
  for (const match of report.matches) {
    const severity = String(match?.vulnerability?.severity).toLowerCase();
    switch (severity) {
      case 'critical':
      case 'high':
      case 'medium':
      case 'low':
        scan[severity] += 1;
        break;
      case 'negligible':
        scan.low += 1;
        break;
      default:
        scan.unknown += 1;
    }
    if (match?.vulnerability?.fix?.state === 'fixed') scan.fixable += 1;
  }
  return scan;
}

/** Reports of one tool are one report. */
export function addScans(scans: ScanReport[]): ScanReport[] {
  const byTool = new Map<string, ScanReport>();
  for (const scan of scans) {
    const sum = byTool.get(scan.tool);
    if (!sum) {
      byTool.set(scan.tool, { ...scan });
      continue;
    }
    for (const field of [
      'critical',
      'high',
      'medium',
      'low',
      'unknown',
    ] as const)
      sum[field] += scan[field];
    if (scan.fixable !== undefined)
      sum.fixable = (sum.fixable ?? 0) + scan.fixable;
  }
  return [...byTool.values()];
}
