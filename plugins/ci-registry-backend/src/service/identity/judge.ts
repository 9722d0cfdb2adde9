import type { PushSource } from '@rocket/plugin-ci-registry-common';
import { DEFAULT_EVENTS, type TokenFacts } from './claims';
import { claimText, matchesAny } from './patterns';
import type { Named, NamedEntity } from './named';
import { NotPermitted, quote } from './refusal';
import type { EnvironmentRule, IdentityRule } from './settings';

/** Whether repository, commit and branch are those of the token. */
export function checkSource(
  { identity, tag }: TokenFacts,
  source: PushSource,
): NotPermitted | undefined {
  if (
    identity.repository !== undefined &&
    source.repository !== identity.repository
  ) {
    return new NotPermitted(
      'wrong-repository',
      `source.repository is ${quote(
        source.repository,
      )}, but the token is for ${quote(
        identity.repository,
      )}; a pipeline pushes for its own repository, written just like that`,
    );
  }
  if (identity.commit !== undefined && source.commit !== identity.commit) {
    return new NotPermitted(
      'wrong-commit',
      `source.commit is ${quote(source.commit)}, but the token is for ${quote(
        identity.commit,
      )}`,
    );
  }
  if (source.branch === undefined) return undefined;
  if (tag !== undefined) {
    return new NotPermitted(
      'wrong-branch',
      `source.branch is ${quote(
        source.branch,
      )}, but the token is for the tag ${quote(tag)}; leave the branch out`,
    );
  }
  if (identity.branch !== undefined && source.branch !== identity.branch) {
    return new NotPermitted(
      'wrong-branch',
      `source.branch is ${quote(source.branch)}, but the token is for ${quote(
        identity.branch,
      )}`,
    );
  }
  return undefined;
}

/** The rules that speak of this caller; a refusal when there are none. Without a repository: for whichever it may be. */
export function selectRules(
  rules: IdentityRule[],
  from: string,
  facts: TokenFacts,
  repository: string | undefined,
): IdentityRule[] | NotPermitted {
  const covering = rules.filter(
    rule =>
      rule.from.includes(from) &&
      (!rule.repositories.length ||
        repository === undefined ||
        matchesAny(rule.repositories, repository, facts.claims, true)) &&
      rule.claims.every(({ claim, patterns }) => {
        const text = Object.hasOwn(facts.claims, claim)
          ? claimText(facts.claims[claim])
          : undefined;
        return text !== undefined && matchesAny(patterns, text, facts.claims);
      }),
  );
  if (!covering.length) {
    return new NotPermitted(
      'no-rule',
      `No rule covers ${quote(
        repository ?? 'this caller',
      )} with a token of ${quote(
        from,
      )}; an administrator adds one to ciRegistry.identity.rules`,
    );
  }
  const { event } = facts;
  const chosen = covering.filter(rule => {
    const events = rule.events ?? DEFAULT_EVENTS[facts.identity.type];
    return !events || event === undefined || events.includes(event);
  });
  return chosen.length
    ? chosen
    : new NotPermitted(
        'event-not-allowed',
        `The token is of a run for the event ${quote(
          event,
        )}, which rule ${quote(covering[0].name)} does not allow`,
      );
}

function checkRef(
  rule: EnvironmentRule,
  { identity, tag }: TokenFacts,
): string | undefined {
  if (rule.branches.length || rule.tags.length) {
    const fits =
      tag === undefined
        ? identity.branch !== undefined &&
          matchesAny(rule.branches, identity.branch)
        : matchesAny(rule.tags, tag);
    if (!fits) {
      const allowed = [
        ...rule.branches.map(({ text }) => `branch ${text}`),
        ...rule.tags.map(({ text }) => `tag ${text}`),
      ].join(', ');
      const actual = tag === undefined ? identity.branch : `tag ${tag}`;
      return actual === undefined
        ? `the caller cannot prove its branch; allowed: ${allowed}`
        : `the token is for ${quote(actual)}; allowed: ${allowed}`;
    }
  }
  if (rule.protectedRef && identity.protectedRef !== true) {
    return 'the token does not say that its branch or tag is protected at the Git host';
  }
  return undefined;
}

function checkEnvironment(
  rule: IdentityRule,
  facts: TokenFacts,
  field: string,
  name: string,
): NotPermitted | undefined {
  const refuse = (reason: string) =>
    new NotPermitted(
      'environment-not-allowed',
      `${field} is ${quote(name)}: ${reason}`,
    );
  const claimed = facts.identity.environment;
  if (claimed !== undefined && claimed !== name) {
    return refuse(`the token is for the environment ${quote(claimed)}`);
  }
  const entries = rule.environments.filter(entry =>
    entry.name.matches(name, facts.claims),
  );
  if (!entries.length) {
    return refuse(`rule ${quote(rule.name)} has no such environment`);
  }
  let first: string | undefined;
  for (const entry of entries) {
    const reason =
      checkRef(entry, facts) ??
      (entry.claimed && claimed === undefined
        ? 'the token names no environment; give the job the environment at the Git host'
        : undefined);
    if (reason === undefined) return undefined;
    first ??= reason;
  }
  return refuse(first!);
}

/** Whether one rule allows all of a push. */
export function checkRule(
  rule: IdentityRule,
  facts: TokenFacts,
  wanted: Named,
): NotPermitted | undefined {
  const { claims } = facts;
  const label = quote(rule.name);
  for (const { namespace, field } of [...wanted.entities, ...wanted.subjects]) {
    if (!matchesAny(rule.namespaces, namespace, claims, true)) {
      return new NotPermitted(
        'namespace-not-allowed',
        `${field} lies in the namespace ${quote(
          namespace,
        )}, which rule ${label} does not allow`,
      );
    }
  }
  for (const { kind, field } of wanted.entities) {
    if (rule.kinds.length && !rule.kinds.includes(kind)) {
      return new NotPermitted(
        'kind-not-allowed',
        `${field} is of the kind ${quote(
          kind,
        )}; rule ${label} allows ${rule.kinds.join(', ')}`,
      );
    }
  }
  for (const { ref, field } of rule.owners.length ? wanted.owners : []) {
    if (ref === undefined || !matchesAny(rule.owners, ref, claims, true)) {
      return new NotPermitted(
        'owner-not-allowed',
        `${field} is ${quote(
          ref ?? 'missing',
        )}; rule ${label} allows ${rule.owners
          .map(({ text }) => text)
          .join(', ')}`,
      );
    }
  }
  for (const { field, name } of wanted.environments) {
    const refused = checkEnvironment(rule, facts, field, name);
    if (refused) return refused;
  }
  return undefined;
}

/**
 * What must be the repository's own already. An entity that it pushes may be new; two repositories that push one are a
 * conflict, and answered as one.
 */
export function heldEntities(wanted: Named): NamedEntity[] {
  return [
    ...wanted.entities.filter(({ field }) => !field.startsWith('entities.')),
    ...wanted.subjects,
  ];
}

/** Whether what is reported on, or given up, is the repository's own. */
export function checkHolders(
  rule: IdentityRule,
  repository: string,
  wanted: Named,
  holders: Map<string, string>,
): NotPermitted | undefined {
  const own = new Set(wanted.entities.map(({ ref }) => ref));
  const foreign = heldEntities(wanted).find(({ ref }) => {
    const holder = holders.get(ref);
    return holder !== undefined && holder !== repository;
  });
  if (foreign) {
    return new NotPermitted(
      'foreign-entity',
      `${foreign.field}: ${foreign.ref} was registered by ${quote(
        holders.get(foreign.ref),
      )}, not by this repository`,
    );
  }
  const unknown = wanted.subjects.find(
    ({ ref }) => !holders.has(ref) && !own.has(ref),
  );
  return unknown && !rule.unregisteredComponents
    ? new NotPermitted(
        'not-registered',
        `${unknown.field}: this repository has not registered ${
          unknown.ref
        }; push the entity too, or have rule ${quote(
          rule.name,
        )} set unregisteredComponents`,
      )
    : undefined;
}
