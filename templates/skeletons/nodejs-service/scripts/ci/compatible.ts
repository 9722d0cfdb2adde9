/**
 * Compares the contracts with those of the commit before (BASE_COMMIT): every event type is still there, and its schema still accepts
 * every example that was recorded for it, so that consumers keep reading what they read before. The earlier contracts are left in
 * ci-out/base for the comparison of the API documents.
 *
 * node scripts/ci/compatible.ts     ends with 1 and names what no longer fits
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { git, hasCommit } from './git.ts';

const SCHEMAS = 'contracts/events/schemas';
const EXAMPLES = 'contracts/events/examples';

const addFormats = formats as unknown as (ajv: Ajv2020) => void;

/** Writes the contracts of the commit to `out`; false if there is no such commit. */
export function takeContracts(folder: string, commit: string | undefined, out: string): boolean {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const known = hasCommit(folder, commit);
  writeFileSync(join(out, 'commit.txt'), `${known ? commit : 'none'}\n`);
  if (!known) return false;
  const files = git(folder, 'ls-tree', '-r', '--name-only', commit, '--', 'contracts').split('\n').filter(Boolean);
  for (const file of files) {
    mkdirSync(dirname(join(out, file)), { recursive: true });
    writeFileSync(join(out, file), git(folder, 'show', `${commit}:${file}`));
  }
  return true;
}

function files(folder: string, ending: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith(ending))
    .sort();
}

/** What the schemas in `now` refuse of the examples in `before`, one line each. */
export function incompatible(before: string, now: string): string[] {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats(ajv);
  const types = new Map<string, object>();
  for (const file of files(join(now, SCHEMAS), '.schema.json')) {
    const schema = JSON.parse(readFileSync(join(now, SCHEMAS, file), 'utf8')) as { $id?: string };
    types.set(basename(file, '.schema.json'), schema);
    // Schemas may refer to each other.
    ajv.addSchema(schema, schema.$id ?? file);
  }
  const wrong: string[] = [];
  for (const file of files(join(before, SCHEMAS), '.schema.json')) {
    const type = basename(file, '.schema.json');
    if (!types.has(type)) wrong.push(`${type}: the type is gone; keep it until nobody reads it`);
  }
  for (const file of files(join(before, EXAMPLES), '.json')) {
    const type = dirname(file);
    const schema = types.get(type);
    if (!schema) continue;
    const validate = ajv.compile(schema);
    if (!validate(JSON.parse(readFileSync(join(before, EXAMPLES, file), 'utf8')))) {
      wrong.push(
        `${type}: no longer accepts ${basename(file)}: ${ajv.errorsText(validate.errors)}; make it a new version`,
      );
    }
  }
  return wrong;
}

if (import.meta.main) {
  const folder = process.cwd();
  const base = join(folder, 'ci-out/base');
  if (takeContracts(folder, process.env.BASE_COMMIT, base)) {
    const wrong = incompatible(base, folder);
    for (const line of wrong) console.error(line);
    if (wrong.length > 0) process.exitCode = 1;
    else console.log('Everything that was said before can still be read.');
  } else {
    console.log('There is no earlier commit to compare with.');
  }
}
