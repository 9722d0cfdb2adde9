import path from 'node:path';
import { runMain } from './run';

void runMain({
  argv: process.argv.slice(2),
  env: process.env,
  repository: path.resolve(__dirname, '../../..'),
});
