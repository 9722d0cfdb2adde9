/**
 * Carries out a run of effects, or undoes it, and kills itself after its n-th
 * write, as `kill -9` would. Started by effects/kill.test.ts; without dying it
 * prints how many writes there were.
 */
import { openRun, type LedgerRun } from './ledgerRun';

const [what, killAfter, text] = process.argv.slice(2);

async function main() {
  let writes = 0;
  const run = await openRun(JSON.parse(text) as LedgerRun, async name => {
    writes += 1;
    process.stdout.write(`${name}\n`);
    if (writes === Number(killAfter)) {
      process.kill(process.pid, 'SIGKILL');
      await new Promise(() => {});
    }
  });
  await (what === 'undo' ? run.undo() : run.carryOut());
  await run.close();
}

main().catch(error => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
