/** `./rocket reset`: forget the embedded data. */
import { existsSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { Failure, printFailure, say } from './lib/console.mts';
import { DEFAULT_DATA_DIR, portsFrom } from './lib/portal.mts';
import { needFreePort } from './lib/processes.mts';

async function main() {
  if (!existsSync(DEFAULT_DATA_DIR)) {
    say('there is no embedded data');
    return;
  }
  await needFreePort(
    portsFrom(7007).portal,
    'the portal',
    'Stop ./rocket start first.',
  );
  if (!process.argv.includes('--yes')) {
    if (!process.stdin.isTTY)
      throw new Failure(
        'Nothing was deleted.',
        'Without a terminal, say: ./rocket reset --yes',
      );
    const ask = createInterface({
      input: process.stdin,
      output: process.stdout,
    });
    const answer = await ask.question(
      `Delete every database, repository and service in ${DEFAULT_DATA_DIR}? [y/N] `,
    );
    ask.close();
    if (!/^y(es)?$/i.test(answer.trim())) return;
  }
  rmSync(DEFAULT_DATA_DIR, { recursive: true, force: true });
  say('the embedded data is gone; the next start begins anew');
}

main().catch(error => {
  printFailure(error);
  process.exit(1);
});
