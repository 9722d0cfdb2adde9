/**
 * `./rocket bench [NAME]`: prints a table and, as its last line, one JSON
 * object with the figures; exits with 1 when a stated bound is missed.
 */
import { board } from './bench/board/board.mts';
import { ledger } from './bench/ledger/ledger.mts';
import { register } from './bench/register/register.mts';
import { scaffold } from './bench/scaffold/scaffold.mts';
import { Failure, printFailure } from './lib/console.mts';

const BENCHES: Record<string, () => Promise<{ ok: boolean }>> = {
  board,
  ledger,
  register,
  scaffold,
};

async function main() {
  const asked = process.argv.slice(2);
  const unknown = asked.find(name => !(name in BENCHES));
  if (unknown)
    throw new Failure(
      `There is no benchmark '${unknown}'.`,
      `There are: ${Object.keys(BENCHES).join(', ')}.`,
    );
  let ok = true;
  for (const name of asked.length ? asked : Object.keys(BENCHES)) {
    const result = await BENCHES[name]();
    console.log(JSON.stringify(result));
    ok &&= result.ok;
  }
  process.exit(ok ? 0 : 1);
}

main().catch(error => {
  printFailure(error);
  process.exit(1);
});
