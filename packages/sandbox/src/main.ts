import path from 'node:path';
import { runMain } from './run';

void runMain({
  argv: process.argv.slice(2),
  env: process.env,
  // Run from the source tree only, never from a build.
  // eslint-disable-next-line no-restricted-syntax
  repository: path.resolve(__dirname, '../../..'),
});
