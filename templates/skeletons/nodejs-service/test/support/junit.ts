import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

type Assertion = {
  ancestorTitles: string[];
  title: string;
  status: string;
  duration?: number | null;
  failureMessages: string[];
};
type Results = {
  testResults: { testFilePath: string; testExecError?: { message?: string }; testResults: Assertion[] }[];
};

// Control characters that XML cannot hold, ANSI colours among them.
const UNPRINTABLE = /\u001b\[[0-9;]*m|[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;
const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

const text = (value: string) => value.replace(UNPRINTABLE, '').replace(/[&<>"]/g, char => ENTITIES[char]!);

function testcase({ ancestorTitles, title, status, duration, failureMessages }: Assertion): string {
  const start = `<testcase classname="${text(ancestorTitles.join(' '))}" name="${text(title)}" time="${(duration ?? 0) / 1000}">`;
  if (status === 'failed') return `${start}<failure>${text(failureMessages.join('\n'))}</failure></testcase>`;
  return `${start}${status === 'passed' ? '' : '<skipped/>'}</testcase>`;
}

/** Results of Jest in the manner of JUnit, for whoever counts tests. */
export function junit({ testResults }: Results, name: string): string {
  const suites = testResults.map(({ testFilePath, testExecError, testResults: cases }) => {
    const broken = testExecError ? `<error>${text(testExecError.message ?? 'cannot be run')}</error>` : '';
    return `<testsuite name="${text(testFilePath)}">${cases.map(testcase).join('')}${broken}</testsuite>`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="${text(name)}">\n${suites.join('\n')}\n</testsuites>\n`;
}

/** A reporter of Jest that writes them to a file. */
export default class JUnitReporter {
  readonly #options: { file: string; name: string };

  constructor(_config: unknown, options: { file: string; name: string }) {
    this.#options = options;
  }

  onRunComplete(_contexts: unknown, results: Results): void {
    mkdirSync(dirname(this.#options.file), { recursive: true });
    writeFileSync(this.#options.file, junit(results, this.#options.name));
  }
}
