import path from 'node:path';
import { collect } from './catalog/collect';
import { formatRef, parseRef, refOf } from './catalog/refs';
import { type Delivery, deliver, describe } from './deliver';
import { AwayError, EXIT, RefusedError, UsageError } from './errors';
import { Git } from './git';
import { HTTP_DEFAULTS, type HttpOptions } from './http';
import { findIdentity, hasIdentity, NO_IDENTITY } from './identity';
import { choiceOf, numberOf, textOf, type Values } from './options';
import type { Output } from './output';
import { Portal } from './portal';
import { Queue } from './queue';
import { type Env, findSurroundings, type Surroundings } from './surroundings';
import type { PushRequest } from './types';

/** What every command gets. */
export interface Call {
  cwd: string;
  env: Env;
  values: Values;
  positionals: string[];
  output: Output;
  now: () => Date;
}

/** The repository around the folder, else the folder itself. */
export function rootOf(call: Call, git: Git): string {
  return git.root() ?? call.cwd;
}

export function httpOptions(call: Call): HttpOptions {
  return {
    ...HTTP_DEFAULTS,
    attempts: numberOf(call.values, 'attempts', HTTP_DEFAULTS.attempts),
    patienceMs: numberOf(call.values, 'patience', 60) * 1000,
    // For tests; nobody else needs it.
    ...(call.env.ROCKET_CI_BACKOFF_MS
      ? { backoffMs: Number(call.env.ROCKET_CI_BACKOFF_MS) }
      : {}),
  };
}

export function portalUrl(call: Call): string | undefined {
  return textOf(call.values, 'url') || call.env.ROCKET_URL || undefined;
}

/** @throws UsageError when nobody said where the portal is. */
export function openPortal(call: Call): Portal {
  const url = portalUrl(call);
  if (!url)
    throw new UsageError(
      'Say where Rocket is: ROCKET_URL or --url, for example https://rocket.example.com',
    );
  const http = httpOptions(call);
  // What the registry expects, unless its administrator chose another word.
  const audience = call.env.ROCKET_AUDIENCE || url.replace(/\/+$/, '');
  if (!hasIdentity(call.env)) throw new UsageError(NO_IDENTITY);
  let token: Promise<string> | undefined;
  return new Portal({
    url,
    http,
    output: call.output,
    token: () => {
      token ??= findIdentity(call.env, audience, call.output, http).then(
        identity => identity.token,
      );
      return token;
    },
  });
}

export function openQueue(call: Call, git: Git): Queue {
  const file = textOf(call.values, 'queue') || call.env.ROCKET_QUEUE;
  return new Queue(
    file
      ? path.resolve(call.cwd, file)
      : path.join(rootOf(call, git), '.rocket-ci', 'queue.ndjson'),
  );
}

export function surroundingsOf(call: Call, git: Git): Surroundings {
  const option = (name: string) => textOf(call.values, name);
  return findSurroundings(
    call.env,
    {
      repository: option('repository'),
      commit: option('commit'),
      branch: option('branch'),
      pipeline: option('pipeline'),
      time: option('time'),
    },
    git,
    call.now(),
  );
}

/** The component that is spoken of: the option's, ROCKET_COMPONENT's, or the repository's only one. */
export function componentOf(call: Call, git: Git): string {
  const given = textOf(call.values, 'component') || call.env.ROCKET_COMPONENT;
  if (given) {
    const ref = parseRef(given, { kind: 'component' });
    if (ref?.kind !== 'component')
      throw new UsageError(
        `--component must be the ref of a Component such as component:default/ledger, was ${JSON.stringify(
          given,
        )}`,
      );
    return formatRef(ref);
  }
  const how = 'name it with --component';
  let documents;
  try {
    ({ documents } = collect([], call.cwd, rootOf(call, git)));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`Nothing here says which component this is; ${how}`);
  }
  const refs = [
    ...new Set(documents.flatMap(({ value }) => refOf(value) ?? [])),
  ].filter(ref => ref.startsWith('component:'));
  if (refs.length !== 1)
    throw new UsageError(
      refs.length === 0
        ? `The catalog files here describe no Component; ${how}`
        : `The catalog files here describe ${refs.length} Components (${refs
            .slice(0, 5)
            .join(', ')}${refs.length > 5 ? ', …' : ''}); ${how}`,
    );
  return refs[0];
}

/** Sends a push as the options say, tells what became of it, and gives the exit code. */
export async function send(
  call: Call,
  git: Git,
  push: PushRequest,
  extra: object = {},
): Promise<number> {
  const { output, values } = call;
  const final = choiceOf(values, 'final', ['job', 'run']);
  const whole: PushRequest = { ...push, ...(final ? { final } : {}) };
  const whenAway =
    choiceOf(values, 'when-away', ['queue', 'fail'] as const) ?? 'queue';
  if (values['dry-run']) {
    if (output.json)
      output.result({ ok: true, dryRun: true, push: whole, ...extra });
    else output.raw(`${JSON.stringify(whole, null, 2)}\n`);
    return EXIT.ok;
  }
  let delivery: Delivery;
  try {
    const portal = openPortal(call);
    delivery = await deliver(whole, {
      portal,
      queue: openQueue(call, git),
      output,
      whenAway,
      now: call.now(),
    });
  } catch (error) {
    const tolerable =
      error instanceof RefusedError ||
      error instanceof AwayError ||
      error instanceof UsageError;
    if (!values['best-effort'] || !tolerable) throw error;
    output.warn(`Rocket is not told: ${(error as Error).message}`);
    output.result({ ok: true, status: 'not told', ...extra });
    return EXIT.ok;
  }
  if (delivery.status === 'queued') {
    output.result({
      ok: true,
      status: 'queued',
      queue: delivery.file,
      ...extra,
    });
    return EXIT.ok;
  }
  for (const line of describe(delivery.response)) output.info(line);
  for (const warning of delivery.response.warnings ?? []) output.warn(warning);
  output.result({
    ok: true,
    status: 'sent',
    response: delivery.response,
    ...extra,
  });
  return EXIT.ok;
}
