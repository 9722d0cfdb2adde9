import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { Failure } from './console.mts';

/** The browser for the end-to-end test: CHROMIUM_PATH, else the first one on the PATH. */
export function findChromium(): string {
  const named = process.env.CHROMIUM_PATH;
  if (named) {
    if (existsSync(named)) return named;
    throw new Failure(`CHROMIUM_PATH names ${named}, which does not exist.`);
  }
  for (const name of [
    'chromium',
    'chromium-browser',
    'google-chrome',
    'google-chrome-stable',
  ]) {
    for (const folder of (process.env.PATH ?? '').split(delimiter)) {
      const candidate = join(folder, name);
      if (existsSync(candidate)) return candidate;
    }
  }
  for (const candidate of [
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
  ]) {
    if (existsSync(candidate)) return candidate;
  }
  throw new Failure(
    'The end-to-end test needs Chromium or Chrome, and none was found.',
    'On Debian: apt-get install chromium. Elsewhere: set CHROMIUM_PATH to its binary.',
  );
}
