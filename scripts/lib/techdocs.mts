import { execFile } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { STATE, TECHDOCS_ENV } from './paths.mts';

const run = promisify(execFile);

/** One tested version; what it needs is resolved by pip. */
const PACKAGE = 'mkdocs-techdocs-core==1.7.1';

/**
 * Makes a private virtual environment with the documentation generator.
 * Returns undefined when it is there, else why it is not: the portal works
 * without it, its Docs pages say so.
 */
export async function prepareTechDocs(): Promise<string | undefined> {
  const stamp = join(TECHDOCS_ENV, 'rocket-package');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === PACKAGE)
    return undefined;
  const attempt = join(STATE, 'techdocs');
  try {
    rmSync(attempt, { recursive: true, force: true });
    await run('python3', ['-m', 'venv', attempt], { timeout: 120_000 });
    await run(
      join(attempt, 'bin/python'),
      [
        '-m',
        'pip',
        'install',
        '--quiet',
        '--disable-pip-version-check',
        '--retries',
        '1',
        '--timeout',
        '20',
        PACKAGE,
      ],
      { timeout: 300_000 },
    );
    writeFileSync(stamp, PACKAGE);
    return undefined;
  } catch (error) {
    rmSync(attempt, { recursive: true, force: true });
    const detail = String(
      (error as { stderr?: string }).stderr || (error as Error).message,
    )
      .trim()
      .split('\n')
      .pop();
    return (error as NodeJS.ErrnoException).code === 'ENOENT'
      ? 'python3 is not on the PATH'
      : `python3 could not install ${PACKAGE}: ${detail}`;
  }
}
