import path from 'node:path';
import { InputFileError } from '../errors';
import { readBounded } from '../files';
import { oneLine } from '../text';
import type { TestSuiteReport } from '../types';
import { MAX_REPORT_BYTES } from './coverage';
import { readXml, rootOf } from './xml';

/**
 * Reads JUnit XML, as most test runners write it. Counted are the test cases themselves, for the sums in the attributes differ from
 * tool to tool: one with `failure` or `error` failed, one with `skipped` was skipped. A case that passed after a re-run passed.
 *
 * @param name - of the suite; else the report's own, else the file's
 */
export function readTests(
  file: string,
  name?: string,
  shown = file,
): TestSuiteReport {
  const text = readBounded(file, MAX_REPORT_BYTES, shown).text();
  return parseTests(text, shown, name);
}

export function parseTests(
  text: string,
  shown: string,
  name?: string,
): TestSuiteReport {
  const root = rootOf(text);
  if (root !== 'testsuites' && root !== 'testsuite')
    throw new InputFileError(shown, 'is no JUnit XML');
  let own: string | undefined;
  let outcome: 'passed' | 'failed' | 'skipped' = 'passed';
  const suite = { passed: 0, failed: 0, skipped: 0 };
  let seconds = 0;
  let timed = false;
  readXml(text, shown, {
    open(element, attributes, at) {
      if (at.length === 1) own = attributes.name;
      if (element === 'testcase') {
        outcome = 'passed';
        // Some tools write 1,234.5.
        const time = Number((attributes.time ?? '').replaceAll(',', ''));
        if (attributes.time && Number.isFinite(time) && time >= 0) {
          seconds += time;
          timed = true;
        }
      } else if (at[at.length - 2] === 'testcase') {
        if (element === 'failure' || element === 'error') outcome = 'failed';
        else if (element === 'skipped' && outcome === 'passed')
          outcome = 'skipped';
      } else if (
        at[at.length - 2] === 'testsuite' &&
        (element === 'failure' || element === 'error')
      ) {
        // The suite itself broke, for example while it was loaded.
        suite.failed += 1;
      }
    },
    close(element) {
      if (element === 'testcase') suite[outcome] += 1;
    },
  });
  return {
    name: name ?? nameOf(own, shown),
    ...suite,
    ...(timed ? { duration: Math.round(seconds * 1000) / 1000 } : {}),
  };
}

function nameOf(own: string | undefined, shown: string): string {
  return oneLine(own ?? '', 100) ?? path.basename(shown).replace(/\.xml$/i, '');
}

/** Suites of one name are one suite, as when every class has a file of its own. */
export function addTests(suites: TestSuiteReport[]): TestSuiteReport[] {
  const byName = new Map<string, TestSuiteReport>();
  for (const suite of suites) {
    const sum = byName.get(suite.name);
    if (!sum) {
      byName.set(suite.name, { ...suite });
      continue;
    }
    for (const field of ['passed', 'failed', 'skipped'] as const)
      sum[field] += suite[field];
    if (suite.duration !== undefined)
      sum.duration =
        Math.round(((sum.duration ?? 0) + suite.duration) * 1000) / 1000;
  }
  return [...byName.values()];
}
