// Bundles the command into one file without dependencies, so that `npx` fetches one package and Node.js reads one file.
import { build } from 'esbuild';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const { version } = JSON.parse(
  readFileSync(new URL('package.json', import.meta.url), 'utf8'),
);

const { values } = parseArgs({ options: { outfile: { type: 'string' } } });

await build({
  absWorkingDir: import.meta.dirname ?? new URL('.', import.meta.url).pathname,
  entryPoints: ['src/bin.ts'],
  outfile: values.outfile ?? 'dist/rocket-ci.js',
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'inline',
  banner: { js: '#!/usr/bin/env node' },
  define: { ROCKET_CI_VERSION: JSON.stringify(version) },
  logLevel: 'warning',
});
