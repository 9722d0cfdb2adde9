import { authorizationLast, authorizationSuite } from './authorization';
import type { Check, Context, Settings } from './checks';
import { Client } from './client';
import { loadContract, type ServiceKind } from './contract';
import { Coverage } from './coverage';
import { transactionLast, transactionSuite } from './transaction';

/** The suite of a service, and what it needs to run. */
export type Suite = {
  checks: Check[];
  /** Run after everything else, because the service is gone then. */
  last: Check[];
  context: Context;
  coverage: Coverage;
};

type Environment = Record<string, string | undefined>;

/** Reads the environment that README.md describes. Throws an Error that names what is wrong. */
export function readSettings(env: Environment): {
  service: ServiceKind;
  baseUrl: string;
  authorizationBaseUrl: string | undefined;
  contracts: string | undefined;
  token: string | undefined;
  clientId: string | undefined;
  settings: Settings;
} {
  const wrong: string[] = [];
  const whole = (name: string, fallback: number, max: number) => {
    const text = env[name];
    if (text === undefined || text === '') return fallback;
    const value = Number(text);
    if (!Number.isInteger(value) || value < 0 || value > max)
      wrong.push(`${name} must be a whole number from 0 to ${max}`);
    return value;
  };
  const service = env.SERVICE as ServiceKind;
  if (service !== 'transaction' && service !== 'authorization')
    wrong.push('SERVICE must be transaction or authorization');
  const url = (name: string) => {
    const text = env[name];
    if (text && !/^https?:\/\/[^/]+/.test(text))
      wrong.push(`${name} must be a URL like http://127.0.0.1:8080`);
    return text || undefined;
  };
  const baseUrl = url('BASE_URL');
  if (!baseUrl) wrong.push('BASE_URL is missing');
  const found = {
    service,
    baseUrl: baseUrl!,
    authorizationBaseUrl: url('AUTHORIZATION_BASE_URL'),
    contracts: env.CONTRACTS_DIR || undefined,
    token: env.TOKEN || undefined,
    clientId: env.CLIENT_ID || undefined,
    settings: {
      seed: whole(
        'SEED',
        (Date.now() ^ (process.pid << 8)) & 0x7fffffff,
        0x7fffffff,
      ),
      histories: whole('HISTORIES', 12, 10_000),
      shrink: env.SHRINK !== '0',
      tokenWithoutScope: env.TOKEN_WITHOUT_SCOPE || undefined,
      tokenOfAnother: env.TOKEN_OF_ANOTHER || undefined,
      relay: env.RELAY !== 'broker',
      processId: whole('PROCESS_ID', 0, 0x7fffffff) || undefined,
      patience: whole('PATIENCE_MS', 45_000, 3_600_000),
      maxOutboxAge: whole('MAX_OUTBOX_AGE_S', 60, 86_400),
    },
  };
  if (wrong.length > 0) throw new Error(wrong.join('; '));
  return found;
}

/** The checks of the service that the environment names, ready to run in their order. */
export function suiteOf(env: Environment): Suite {
  const given = readSettings(env);
  const coverage = new Coverage();
  const client = new Client({
    base: given.baseUrl,
    contract: loadContract(given.service, given.contracts),
    coverage,
    clientId: given.clientId,
    token: given.token,
  });
  const other =
    given.service === 'transaction' && given.authorizationBaseUrl
      ? new Client({
          base: given.authorizationBaseUrl,
          contract: loadContract('authorization', given.contracts),
          coverage: new Coverage(),
          clientId: client.clientId,
          token: given.token,
        })
      : undefined;
  const [checks, last] =
    given.service === 'transaction'
      ? [transactionSuite, transactionLast]
      : [authorizationSuite, authorizationLast];
  return {
    checks,
    last,
    coverage,
    context: { client, other, settings: given.settings },
  };
}
