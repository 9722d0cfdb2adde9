import type { Database } from '../platform/db/database.ts';
import { expectedVersion, type Precondition } from './preconditions.ts';
import { invalid } from '../platform/problems.ts';
import { knownCurrency, notFound, toDecided, type Row } from './decisions.ts';
import type { RuleSetBody } from './rule-schemas.ts';
import type { NewRuleSet, RuleSet, ShadowReport } from './setting-schemas.ts';
import * as sql from './statements.ts';

const CACHED = 1_000;

/** Rule sets and their versions. A version never changes, so its body is read once. */
export class RuleSets {
  readonly #database: Database;
  readonly #bodies = new Map<string, RuleSetBody>();

  constructor(database: Database) {
    this.#database = database;
  }

  /** Writes the next version. Throws validation-failed, precondition-failed. */
  async put(clientId: string, id: string, precondition: Precondition, ruleSet: NewRuleSet): Promise<RuleSet> {
    const { mode = 'active', activeFrom, body } = ruleSet;
    if (mode === 'shadow' && activeFrom !== undefined) {
      throw invalid('/activeFrom', 'exclusive', 'cannot be combined with mode shadow');
    }
    mustMakeSense(body);
    const [row] = await this.#database.run<Row>(sql.PUT_RULE_SET, [
      clientId,
      id,
      expectedVersion(precondition),
      mode,
      activeFrom ?? null,
      JSON.stringify(body),
    ]);
    return toDecided<RuleSet>(row).body;
  }

  async get(id: string, version?: number): Promise<RuleSet> {
    const [row] =
      version === undefined
        ? await this.#database.run<{ body: RuleSet }>(sql.RULE_SET, [id])
        : await this.#database.run<{ body: RuleSet }>(sql.RULE_SET_VERSION, [id, version]);
    if (row === undefined) throw notFound('rule set', version === undefined ? id : `${id} version ${version}`);
    return row.body;
  }

  /** How the latest candidate compares with what was decided. Throws not-found when there has never been one. */
  async shadowReport(id: string): Promise<ShadowReport> {
    const { shadowVersion } = await this.get(id);
    if (shadowVersion === null) throw notFound('candidate of rule set', id);
    const [row] = await this.#database.run<{ body: ShadowReport }>(sql.SHADOW_REPORT, [id, shadowVersion]);
    return row!.body;
  }

  /** The rules of one version; undefined when there is none. */
  async body(id: string | undefined, version: number | null | undefined): Promise<RuleSetBody | undefined> {
    if (id === undefined || version === undefined || version === null) return undefined;
    const key = `${id}@${version}`;
    const known = this.#bodies.get(key);
    if (known !== undefined) return known;
    const [row] = await this.#database.run<{ body: RuleSetBody }>(sql.RULE_BODY, [id, version]);
    if (row === undefined) return undefined;
    if (this.#bodies.size >= CACHED) this.#bodies.delete(this.#bodies.keys().next().value!);
    this.#bodies.set(key, row.body);
    return row.body;
  }
}

/** What the schema cannot say. */
function mustMakeSense(body: RuleSetBody): void {
  if (body.currency !== undefined) knownCurrency(body.currency, '/body/currency');
  const { countPerHour: _count, ...amounts } = body.limits ?? {};
  const hasAmount =
    Object.keys(amounts).length > 0 ||
    body.risk?.unavailableUpTo !== undefined ||
    body.overCapture?.some(entry => entry.upTo !== undefined);
  if (hasAmount && body.currency === undefined) {
    throw invalid('/body/currency', 'required', 'is missing; amounts need one');
  }
  const lists: [string, readonly string[] | undefined][] = [
    ['/body/mcc/allow', body.mcc?.allow],
    ['/body/mcc/deny', body.mcc?.deny],
    ...(body.overCapture ?? []).map((entry, i): [string, string[]] => [`/body/overCapture/${i}/mccs`, entry.mccs]),
    ...(body.holds ?? []).map((entry, i): [string, string[]] => [`/body/holds/${i}/mccs`, entry.mccs]),
  ];
  for (const [pointer, ranges] of lists) {
    ranges?.forEach((range, i) => {
      const [from, to = from] = range.split('-');
      if (to! < from!) throw invalid(`${pointer}/${i}`, 'range', 'must go from the lower to the higher category');
    });
  }
}
