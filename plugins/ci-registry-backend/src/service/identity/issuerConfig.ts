import type { Config } from '@backstage/config';
import {
  checkUrl,
  DAY,
  fail,
  MINUTE,
  readConditions,
  readDuration,
  readStrings,
} from './configValues';
import type { ClaimNames, IssuerSettings } from './settings';

const GITHUB_ISSUER = 'https://token.actions.githubusercontent.com';
/** Only signatures with a private key: a shared secret could be our own public key. */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
];
/** One of `ciRegistry.identity.issuers`. */
export function readIssuer(
  config: Config,
  where: string,
  common: Config,
): IssuerSettings {
  const type = config.getString('type');
  if (type !== 'github' && type !== 'gitlab' && type !== 'oidc') {
    return fail(`${where}.type`, 'must be github, gitlab or oidc');
  }
  const host = config
    .getOptionalString('host')
    ?.replace(/\/+$/, '')
    .toLowerCase();
  const base =
    host ?? (type === 'gitlab' ? 'https://gitlab.com' : 'https://github.com');
  checkUrl(`${where}.host`, base);
  let issuer = config.getOptionalString('issuer');
  if (!issuer) {
    if (type === 'oidc') fail(where, 'needs issuer, as in the claim iss');
    if (type === 'gitlab') issuer = base;
    else {
      issuer =
        base === 'https://github.com'
          ? GITHUB_ISSUER
          : `${base}/_services/token`;
    }
  }
  checkUrl(`${where}.issuer`, issuer!);
  let jwksUrl = config.getOptionalString('jwksUrl');
  if (!jwksUrl) {
    if (type === 'oidc') {
      fail(
        where,
        `needs jwksUrl; it is the jwks_uri in ${issuer}/.well-known/openid-configuration`,
      );
    }
    jwksUrl =
      type === 'gitlab'
        ? `${base}/oauth/discovery/keys`
        : `${issuer}/.well-known/jwks`;
  }
  checkUrl(`${where}.jwksUrl`, jwksUrl!);
  const audiences =
    readStrings(config, 'audience') ?? readStrings(common, 'audience') ?? [];
  if (!audiences.length || audiences.some(audience => !audience)) {
    fail(
      where,
      'needs audience (or ciRegistry.identity.audience): what pipelines ask a token for, for example the address of this portal',
    );
  }
  const algorithms =
    config.getOptionalStringArray('algorithms') ??
    (type === 'oidc' ? ['RS256', 'ES256'] : ['RS256']);
  const wrong = algorithms.find(name => !ALGORITHMS.includes(name));
  if (wrong !== undefined || !algorithms.length) {
    fail(
      `${where}.algorithms`,
      `must name some of ${ALGORITHMS.join(', ')}; "${
        wrong ?? ''
      }" is not possible`,
    );
  }
  return {
    name: config.getString('name'),
    type,
    issuer: issuer!,
    host: base,
    jwksUrl: jwksUrl!,
    audiences,
    algorithms,
    maxTokenAgeMs: readDuration(
      config,
      'maxTokenAge',
      where,
      type === 'github' ? 15 * MINUTE : 60 * MINUTE,
      [MINUTE, DAY],
    ),
    claims:
      type === 'oidc'
        ? readClaimNames(config.getConfig('claims'), `${where}.claims`)
        : undefined,
    refuse: readConditions(config, 'refuse', where),
  };
}

function readClaimNames(config: Config, where: string): ClaimNames {
  const repository = config.getString('repository');
  if (!repository.includes('{')) {
    fail(
      `${where}.repository`,
      'must hold a claim in braces, for example https://git.example.com/{project_path}',
    );
  }
  return {
    repository,
    repositoryId: config.getOptionalString('repositoryId'),
    ref: config.getOptionalString('ref'),
    branch: config.getOptionalString('branch'),
    tag: config.getOptionalString('tag'),
    commit: config.getOptionalString('commit'),
    environment: config.getOptionalString('environment'),
    protectedRef: config.getOptionalString('protectedRef'),
    run: config.getOptionalString('run'),
    job: config.getOptionalString('job'),
    event: config.getOptionalString('event'),
  };
}
