import { run } from './main';

declare const ROCKET_CI_VERSION: string;

run(process.argv.slice(2), {
  cwd: process.cwd(),
  env: process.env,
  out: text => process.stdout.write(text),
  err: text => process.stderr.write(text),
  now: () => new Date(),
  version: ROCKET_CI_VERSION,
}).then(code => {
  process.exitCode = code;
});
