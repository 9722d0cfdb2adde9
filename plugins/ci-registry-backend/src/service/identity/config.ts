import { createHash } from 'node:crypto';
import type { Config } from '@backstage/config';
import { PULL_REQUEST_EVENTS } from './claims';
import {
  at,
  DAY,
  fail,
  MINUTE,
  readConditions,
  readDuration,
  readPatterns,
  readStrings,
} from './configValues';
import { readIssuer } from './issuerConfig';
import type {
  EnvironmentRule,
  IdentityRule,
  IdentitySettings,
  StaticTokenSettings,
} from './settings';

const MIN_SECRET = 32;

function readStaticToken(config: Config, where: string): StaticTokenSettings {
  const secret = config.getOptionalString('secret');
  const hash = config.getOptionalString('sha256');
  if ((secret === undefined) === (hash === undefined)) {
    fail(where, 'needs either sha256 or secret');
  }
  if (secret !== undefined && secret.length < MIN_SECRET) {
    fail(
      `${where}.secret`,
      `must have at least ${MIN_SECRET} random characters`,
    );
  }
  if (hash !== undefined && !/^[0-9a-fA-F]{64}$/.test(hash)) {
    fail(`${where}.sha256`, 'must be 64 hexadecimal digits');
  }
  const expires = config.getOptionalString('expires') ?? '';
  // A day alone means until its beginning in UTC, as ISO 8601 and Date have it.
  const expiresAt = /^\d{4}-\d{2}-\d{2}(T|$)/.test(expires)
    ? Date.parse(expires)
    : NaN;
  if (Number.isNaN(expiresAt)) {
    fail(
      at(config, 'expires', where),
      'must be an ISO 8601 date, for example 2027-06-30',
    );
  }
  const repositories = readPatterns(config, 'repositories', where);
  if (!repositories.length) {
    fail(where, 'needs repositories: a token is for named repositories only');
  }
  return {
    name: config.getString('name'),
    hash: secret
      ? createHash('sha256').update(secret).digest()
      : Buffer.from(hash!, 'hex'),
    expiresAt,
    repositories,
  };
}

function readEnvironment(config: Config, where: string): EnvironmentRule {
  const [name] = readPatterns(config, 'name', where);
  if (!name) fail(where, 'needs name');
  return {
    name,
    branches: readPatterns(config, 'branches', where),
    tags: readPatterns(config, 'tags', where),
    protectedRef: config.getOptionalBoolean('protected') ?? false,
    claimed: config.getOptionalBoolean('claimed') ?? false,
  };
}

function readRule(
  config: Config,
  where: string,
  names: Set<string>,
  issuers: Set<string>,
): IdentityRule {
  const from = readStrings(config, 'from') ?? [];
  const unknown = from.find(name => !names.has(name));
  if (!from.length || unknown !== undefined) {
    fail(
      at(config, 'from', where),
      `must name issuers or static tokens; ${
        unknown === undefined ? 'it is empty' : `"${unknown}" is none`
      }`,
    );
  }
  const namespaces = readPatterns(config, 'namespaces', where);
  if (!namespaces.length) {
    fail(where, 'needs namespaces of the catalog, for example [default]');
  }
  const claims = readConditions(config, 'claims', where);
  const repositories = readPatterns(config, 'repositories', where);
  // Also what is left of a rule when the variable in it is not set.
  if (
    !claims.length &&
    !repositories.length &&
    from.some(name => issuers.has(name))
  ) {
    fail(
      where,
      'needs claims or repositories: without them it covers every repository of the Git host; write repositories: "**" if that is meant',
    );
  }
  const events = config.getOptionalStringArray('events');
  const foreign = events?.find(event => PULL_REQUEST_EVENTS.includes(event));
  if (foreign) {
    fail(
      `${where}.events`,
      `must not hold ${foreign}: such a run may be of code from a fork, and its token does not say so`,
    );
  }
  return {
    name: config.getString('name'),
    from,
    claims,
    repositories,
    events,
    namespaces,
    owners: readPatterns(config, 'owners', where),
    kinds: (config.getOptionalStringArray('kinds') ?? []).map(kind =>
      kind.toLowerCase(),
    ),
    environments: (config.getOptionalConfigArray('environments') ?? []).map(
      (item, index) => readEnvironment(item, `${where}.environments.${index}`),
    ),
    unregisteredComponents:
      config.getOptionalBoolean('unregisteredComponents') ?? false,
  };
}

function readList<T>(
  config: Config | undefined,
  key: string,
  read: (item: Config, where: string) => T,
): T[] {
  return (config?.getOptionalConfigArray(key) ?? []).map((item, index) =>
    read(item, `ciRegistry.identity.${key}.${index}`),
  );
}

/** Reads `ciRegistry.identity`, see config.d.ts. Without it only Backstage's own credentials are taken. */
export function readIdentityConfig(root: Config): IdentitySettings {
  const config = root.getOptionalConfig('ciRegistry.identity');
  const where = 'ciRegistry.identity';
  const issuers = readList(config, 'issuers', (item, place) =>
    readIssuer(item, place, config!),
  );
  const staticTokens = readList(config, 'staticTokens', readStaticToken);
  const names = [...issuers, ...staticTokens].map(({ name }) => name);
  const twice =
    names.find((name, i) => names.indexOf(name) !== i) ??
    issuers
      .map(({ issuer }) => issuer)
      .find((issuer, i, all) => all.indexOf(issuer) !== i);
  if (twice) fail(where, `names "${twice}" twice`);
  const rules = readList(config, 'rules', (item, place) =>
    readRule(
      item,
      place,
      new Set(names),
      new Set(issuers.map(({ name }) => name)),
    ),
  );
  const idle = names.find(
    name => !rules.some(({ from }) => from.includes(name)),
  );
  if (idle) {
    fail(
      `${where}.rules`,
      `has no rule from "${idle}": its tokens may nothing`,
    );
  }
  const keys = config?.getOptionalConfig('keys');
  const decisions = config?.getOptionalConfig('decisions');
  const maxUnknown = decisions?.getOptionalNumber('maxUnknown') ?? 100_000;
  if (!Number.isInteger(maxUnknown) || maxUnknown < 1000) {
    fail(
      `${where}.decisions.maxUnknown`,
      'must be a whole number from 1000 on',
    );
  }
  return {
    issuers,
    staticTokens,
    rules,
    clockSkewMs: readDuration(config, 'clockSkew', where, 30_000, [
      0,
      5 * MINUTE,
    ]),
    keys: {
      timeoutMs: readDuration(keys, 'timeout', `${where}.keys`, 5_000, [
        50,
        MINUTE,
      ]),
      maxAgeMs: readDuration(keys, 'maxAge', `${where}.keys`, 60 * MINUTE, [
        MINUTE,
        DAY,
      ]),
      cooldownMs: readDuration(keys, 'cooldown', `${where}.keys`, 30_000, [
        0,
        60 * MINUTE,
      ]),
    },
    decisions: {
      retentionMs: readDuration(
        decisions,
        'retention',
        `${where}.decisions`,
        400 * DAY,
        [DAY, 3650 * DAY],
      ),
      maxUnknown,
    },
  };
}
