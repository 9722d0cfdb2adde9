import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { say, seconds } from './console.mts';
import { LOGS, ROOT, STATE } from './paths.mts';
import { runToEnd } from './processes.mts';

/** Everything that ends up in the browser: the portal, the portal plugins and what they import. */
function portalSources(): string[] {
  const tracked = execFileSync(
    'git',
    [
      'ls-files',
      '-z',
      '--cached',
      '--others',
      '--exclude-standard',
      '--',
      'packages/app',
      'plugins',
      'yarn.lock',
    ],
    { cwd: ROOT, maxBuffer: 64 * 1024 * 1024 },
  );
  return tracked
    .toString()
    .split('\0')
    .filter(
      file =>
        file &&
        !/-(backend|node)(\/|-module-)/.test(file) &&
        !/\.test\.tsx?$/.test(file),
    )
    .sort();
}

function fingerprint(): string {
  const hash = createHash('sha256');
  for (const file of portalSources()) {
    const path = join(ROOT, file);
    if (!existsSync(path) || !statSync(path).isFile()) continue;
    hash.update(file).update('\0').update(readFileSync(path)).update('\0');
  }
  return hash.digest('hex');
}

/** Builds the portal unless the last build is of the same sources. */
export async function buildPortal(options: {
  verbose?: boolean;
}): Promise<void> {
  const stamp = join(STATE, 'portal-build');
  const wanted = fingerprint();
  const index = join(ROOT, 'packages/app/dist/index.html');
  if (
    existsSync(index) &&
    existsSync(stamp) &&
    readFileSync(stamp, 'utf8') === wanted
  )
    return;
  const since = Date.now();
  say('building the portal (about a minute, only after changes)');
  await runToEnd('Building the portal', 'yarn', ['workspace', 'app', 'build'], {
    logFile: join(LOGS, 'portal-build.log'),
    verbose: options.verbose,
    // The bundler's type checker and source maps are for developers; this build is for running.
    env: {
      ...process.env,
      CI: 'true',
      NODE_OPTIONS: '--max-old-space-size=4096',
    },
  });
  writeFileSync(stamp, wanted);
  say(`portal built in ${seconds(since)}`);
}
