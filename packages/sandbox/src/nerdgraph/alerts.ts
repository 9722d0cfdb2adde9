import { NrqlError, parseNrql } from '../nrql/parse';
import {
  type AlertCondition,
  type AlertPolicy,
  conditionGuid,
  ManagedObjects,
  policyGuid,
} from '../store/ManagedObjects';
import type { SandboxAccount } from '../store/EventStore';
import { nerdGraphError, validationError, type Invalid } from './errors';

const PAGE = 100;
const LONGEST_NAME = 128;
/** Conditions of one policy. */
const MOST_CONDITIONS = 500;

type Json = Record<string, any>;

const lower = (text: string) => text.toLowerCase();

/** The policies and conditions of one account, as NerdGraph searches and changes them. */
export class Alerts {
  constructor(
    private readonly managed: ManagedObjects,
    private readonly account: SandboxAccount,
  ) {}

  /** The fields under `actor.account.alerts`. */
  fields() {
    return {
      policiesSearch: ({ cursor, searchCriteria }: Json) => {
        const { ids, name, nameLike } = searchCriteria ?? {};
        const found = this.policies().filter(
          policy =>
            (!ids || ids.includes(policy.id)) &&
            (!name || lower(policy.name) === lower(name)) &&
            (!nameLike || lower(policy.name).includes(lower(nameLike))),
        );
        const { items, nextCursor } = pageOf(found, cursor);
        return {
          nextCursor,
          totalCount: found.length,
          policies: items.map(showPolicy),
        };
      },
      policy: ({ id }: Json) => showPolicy(this.policy(id)),
      nrqlConditionsSearch: ({ cursor, searchCriteria }: Json) => {
        const { policyId, name, nameLike, query, queryLike } =
          searchCriteria ?? {};
        const text = (condition: AlertCondition) =>
          String((condition.definition.nrql as Json).query);
        const found = this.conditions().filter(
          condition =>
            (!policyId || condition.policyId === policyId) &&
            (!name || lower(condition.definition.name) === lower(name)) &&
            (!nameLike ||
              lower(condition.definition.name).includes(lower(nameLike))) &&
            (!query || text(condition) === query) &&
            (!queryLike || lower(text(condition)).includes(lower(queryLike))),
        );
        const { items, nextCursor } = pageOf(found, cursor);
        return {
          nextCursor,
          totalCount: found.length,
          nrqlConditions: items.map(showCondition),
        };
      },
      nrqlCondition: ({ id }: Json) => showCondition(this.condition(id)),
    };
  }

  async createPolicy({ policy }: Json) {
    checkName(policy.name);
    const created: AlertPolicy = {
      accountId: this.account.id,
      id: this.managed.newId(),
      name: policy.name,
      incidentPreference: policy.incidentPreference,
    };
    this.managed.state.policies.push(created);
    await this.managed.save();
    return showPolicy(created);
  }

  async updatePolicy({ id, policy }: Json) {
    const found = this.policy(id);
    if (policy.name !== undefined) checkName(policy.name);
    Object.assign(found, given(policy));
    await this.managed.save();
    return showPolicy(found);
  }

  /** Its conditions go with it. */
  async deletePolicy({ id }: Json) {
    const found = this.policy(id);
    const { state } = this.managed;
    for (const condition of this.conditions()) {
      if (condition.policyId === id) {
        this.managed.setTags(conditionGuid(condition), new Map());
      }
    }
    state.conditions = state.conditions.filter(c => c.policyId !== found.id);
    state.policies = state.policies.filter(p => p !== found);
    this.managed.setTags(policyGuid(found), new Map());
    await this.managed.save();
    return { id };
  }

  async createCondition({ policyId, condition }: Json) {
    this.policy(policyId);
    if (
      this.conditions().filter(c => c.policyId === policyId).length >=
      MOST_CONDITIONS
    ) {
      throw validationError([
        {
          name: 'policyId',
          reason: `a policy has at most ${MOST_CONDITIONS} conditions`,
        },
      ]);
    }
    const definition = complete(condition);
    checkCondition(definition);
    const created: AlertCondition = {
      accountId: this.account.id,
      id: this.managed.newId(),
      policyId,
      definition,
    };
    this.managed.state.conditions.push(created);
    await this.managed.save();
    return showCondition(created);
  }

  async updateCondition({ id, condition }: Json) {
    const found = this.condition(id);
    const definition = complete({
      ...found.definition,
      ...given(condition),
    });
    checkCondition(definition);
    found.definition = definition;
    await this.managed.save();
    return showCondition(found);
  }

  async deleteCondition({ id }: Json) {
    const found = this.condition(id);
    const { state } = this.managed;
    state.conditions = state.conditions.filter(c => c !== found);
    this.managed.setTags(conditionGuid(found), new Map());
    await this.managed.save();
    return { id };
  }

  private policies(): AlertPolicy[] {
    return this.managed.state.policies.filter(
      ({ accountId }) => accountId === this.account.id,
    );
  }

  private conditions(): AlertCondition[] {
    return this.managed.state.conditions.filter(
      ({ accountId }) => accountId === this.account.id,
    );
  }

  private policy(id: string): AlertPolicy {
    return this.policies().find(policy => policy.id === id) ?? missing();
  }

  private condition(id: string): AlertCondition {
    return this.conditions().find(c => c.id === id) ?? missing();
  }
}

function missing(): never {
  throw nerdGraphError('Not Found', 'BAD_USER_INPUT', {
    code: 'BAD_USER_INPUT',
  });
}

/** Without the fields that are undefined or null: an update leaves those as they are. */
function given(input: Json): Json {
  return Object.fromEntries(
    Object.entries(input).filter(([, value]) => value !== undefined),
  );
}

function pageOf<T>(found: T[], cursor: string | null | undefined) {
  let offset = 0;
  if (cursor) {
    offset = Number(Buffer.from(cursor, 'base64').toString());
    if (!Number.isInteger(offset) || offset < 0) {
      throw nerdGraphError('Invalid cursor', 'BAD_USER_INPUT');
    }
  }
  const end = offset + PAGE;
  return {
    items: found.slice(offset, end),
    nextCursor:
      end < found.length ? Buffer.from(String(end)).toString('base64') : null,
  };
}

function showPolicy(policy: AlertPolicy) {
  return { ...policy, entityGuid: policyGuid(policy) };
}

function showCondition(condition: AlertCondition) {
  return {
    __typename: 'AlertsNrqlStaticCondition',
    ...condition.definition,
    id: condition.id,
    policyId: condition.policyId,
    entityGuid: conditionGuid(condition),
    type: 'STATIC',
  };
}

function checkName(name: unknown) {
  if (
    typeof name !== 'string' ||
    name.trim() === '' ||
    name.length > LONGEST_NAME
  ) {
    throw validationError([
      { name: 'name', reason: `must have 1 to ${LONGEST_NAME} characters` },
    ]);
  }
}

/** Fills in what New Relic takes when nothing is said. */
function complete(input: Json): AlertCondition['definition'] {
  return {
    description: null,
    runbookUrl: null,
    titleTemplate: null,
    valueFunction: 'SINGLE_VALUE',
    violationTimeLimitSeconds: 259_200,
    ...(given(input) as { name: string }),
    terms: (input.terms ?? []).map((term: Json) => ({
      priority: 'CRITICAL',
      ...term,
    })),
    signal: {
      aggregationWindow: 60,
      aggregationMethod: 'EVENT_FLOW',
      aggregationDelay:
        (input.signal?.aggregationMethod ?? 'EVENT_FLOW') === 'EVENT_TIMER'
          ? null
          : 120,
      aggregationTimer: null,
      fillOption: 'NONE',
      fillValue: null,
      slideBy: null,
      ...input.signal,
    },
    expiration: {
      closeViolationsOnExpiration: false,
      expirationDuration: null,
      ignoreOnExpectedTermination: false,
      openViolationOnExpiration: false,
      ...input.expiration,
    },
  };
}

/** The bounds that New Relic documents. */
function checkCondition(definition: Json) {
  checkName(definition.name);
  const wrong: Invalid[] = [];
  const within = (name: string, value: unknown, from: number, to: number) => {
    if (value === null || value === undefined) return;
    if (typeof value !== 'number' || value < from || value > to) {
      wrong.push({ name, reason: `must be from ${from} to ${to}` });
    }
  };
  const { signal, terms, expiration, nrql } = definition;
  const window = signal.aggregationWindow;
  within('signal.aggregationWindow', window, 30, 21_600);
  within('signal.aggregationDelay', signal.aggregationDelay, 0, 1_200);
  within(
    'violationTimeLimitSeconds',
    definition.violationTimeLimitSeconds,
    300,
    2_592_000,
  );
  within(
    'expiration.expirationDuration',
    expiration.expirationDuration,
    30,
    172_800,
  );
  if (
    (expiration.openViolationOnExpiration ||
      expiration.closeViolationsOnExpiration) &&
    !expiration.expirationDuration
  ) {
    wrong.push({
      name: 'expiration.expirationDuration',
      reason: 'is needed to open or close anything on the loss of signal',
    });
  }
  const { slideBy } = signal;
  if (slideBy !== null && (slideBy >= window || window % slideBy !== 0)) {
    wrong.push({
      name: 'signal.slideBy',
      reason: 'must be smaller than the aggregation window and divide it',
    });
  }
  if ((signal.fillOption === 'STATIC') !== (signal.fillValue !== null)) {
    wrong.push({
      name: 'signal.fillValue',
      reason: 'belongs to the fill option STATIC, and only to it',
    });
  }
  if (terms.length === 0) {
    wrong.push({ name: 'terms', reason: 'at least one is needed' });
  }
  const priorities = terms.map(({ priority }: Json) => priority);
  if (new Set(priorities).size !== priorities.length) {
    wrong.push({ name: 'terms', reason: 'at most one of each priority' });
  }
  terms.forEach((term: Json, index: number) => {
    const at = `terms.${index}.thresholdDuration`;
    within(at, term.thresholdDuration, 60, 86_400);
    if (term.thresholdDuration % window !== 0) {
      wrong.push({
        name: at,
        reason: 'must be a multiple of the aggregation window',
      });
    }
  });
  try {
    if (parseNrql(nrql.query).step) {
      wrong.push({ name: 'nrql.query', reason: 'TIMESERIES is not allowed' });
    }
  } catch (error) {
    if (!(error instanceof NrqlError)) throw error;
    wrong.push({ name: 'nrql.query', reason: error.message });
  }
  if (wrong.length > 0) throw validationError(wrong);
}
