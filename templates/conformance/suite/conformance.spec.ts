import { exemptions } from '../src/coverage';
import { suiteOf } from '../src/run';

/**
 * The suite as Jest runs it against a service: `node run.ts`, see README.md. Order matters: the invariants are read after everything
 * else, then coverage is counted, then the process is stopped.
 */
const { checks, last, context, coverage } = suiteOf(process.env);
const { client, settings } = context;
const skipped: string[] = [];

const groups = new Map<string, typeof checks>();
for (const check of [...checks, ...last])
  groups.set(check.group, [...(groups.get(check.group) ?? []), check]);

for (const [heading, members] of groups) {
  describe(heading, () => {
    for (const check of members) {
      const reason = check.skip?.(context);
      if (reason !== undefined) {
        skipped.push(`${heading}: ${check.name} (${reason})`);
        it.skip(`${check.name} (${reason})`, () => {});
      } else it(check.name, () => check.run(context), check.timeout ?? 60_000);
    }
  });
}

describe('coverage', () => {
  const exempt = exemptions(client.contract, {
    authenticated:
      client.token !== undefined && settings.tokenWithoutScope !== undefined,
    drained: settings.processId !== undefined,
  });

  it('every operation was seen with every status that it documents', () => {
    expect(coverage.missing(client.contract, exempt)).toEqual([]);
  });
});

beforeAll(() => {
  process.stdout.write(
    `conformance: ${client.contract.service} service at ${client.base}, SEED=${settings.seed}\n`,
  );
});

afterAll(() => {
  const exempt = exemptions(client.contract, {
    authenticated:
      client.token !== undefined && settings.tokenWithoutScope !== undefined,
    drained: settings.processId !== undefined,
  });
  const lines = [
    `\n${coverage.requests} answers were held against the contract; (status): not demanded of this run, see README.md`,
    coverage.table(client.contract, exempt),
    `Errors that no answer had: ${
      coverage.unseenCodes(client.contract).join(', ') || 'none'
    }`,
    ...skipped.map(line => `Not tried: ${line}`),
    `SEED=${settings.seed}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
});
