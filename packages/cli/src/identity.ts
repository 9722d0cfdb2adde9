import { UsageError } from './errors';
import { type HttpOptions, request, safeUrl } from './http';
import type { Output } from './output';
import type { Env } from './surroundings';

/** What stands in the error when nothing does. */
export const NO_IDENTITY =
  'Nothing proves who calls: give the job `permissions: id-token: write` (GitHub), `id_tokens: ROCKET_ID_TOKEN` (GitLab), or the secret ROCKET_TOKEN';

/** How the caller proves who it is. */
export interface Identity {
  kind: 'static' | 'github' | 'gitlab';
  token: string;
}

function checked(token: string, name: string): string {
  const value = token.trim();
  if (!/^[\x21-\x7e]+$/.test(value))
    throw new UsageError(
      `${name} is not a token: it holds spaces or line ends`,
    );
  return value;
}

/** True when `findIdentity` can succeed, as far as that is known without asking anybody. */
export function hasIdentity(env: Env): boolean {
  return Boolean(
    env.ROCKET_TOKEN ||
      env.ROCKET_ID_TOKEN ||
      (env.ACTIONS_ID_TOKEN_REQUEST_URL && env.ACTIONS_ID_TOKEN_REQUEST_TOKEN),
  );
}

/**
 * The token that proves who pushes: `ROCKET_TOKEN` when somebody set it, else GitLab's `ROCKET_ID_TOKEN`, else one that GitHub makes
 * for this job. It is told to the output, which never shows it.
 *
 * @param audience - who a token of GitHub is for
 * @throws UsageError when there is none; AwayError when GitHub does not answer.
 */
export async function findIdentity(
  env: Env,
  audience: string,
  output: Output,
  http: HttpOptions,
): Promise<Identity> {
  if (env.ROCKET_TOKEN) {
    const token = checked(env.ROCKET_TOKEN, 'ROCKET_TOKEN');
    output.hide(token);
    return { kind: 'static', token };
  }
  if (env.ROCKET_ID_TOKEN) {
    const token = checked(env.ROCKET_ID_TOKEN, 'ROCKET_ID_TOKEN');
    output.hide(token);
    return { kind: 'gitlab', token };
  }
  const { ACTIONS_ID_TOKEN_REQUEST_URL: address } = env;
  const secret = env.ACTIONS_ID_TOKEN_REQUEST_TOKEN;
  if (address && secret) {
    const url = safeUrl(address, 'ACTIONS_ID_TOKEN_REQUEST_URL');
    url.searchParams.set('audience', audience);
    output.hide(secret);
    const answer = await request(
      { method: 'GET', url, token: secret, what: "GitHub's token service" },
      http,
      line => output.warn(line),
    );
    if (typeof answer?.value !== 'string')
      throw new UsageError("GitHub's token service gave no token");
    const token = checked(answer.value, "GitHub's token");
    output.hide(token);
    return { kind: 'github', token };
  }
  throw new UsageError(NO_IDENTITY);
}
