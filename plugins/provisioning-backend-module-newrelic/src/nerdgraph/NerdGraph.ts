import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceUnavailableError } from '@backstage/errors';
import {
  fromNerdGraphErrors,
  type NewRelicAccount,
  NewRelicError,
  type NewRelicService,
} from '@rocket/newrelic-node';

/** What one call of a handler works with. */
export interface Scope {
  account: NewRelicAccount;
  signal?: AbortSignal;
}

interface Operation {
  query: string;
  variables?: Record<string, unknown>;
}

/** What dashboards and tags tell in their answer instead of as errors of GraphQL. */
interface BusinessError {
  type?: string;
  description?: string;
  message?: string;
}

/** Looks after a creation whose answer was lost, and the time before each in ms. */
const LOOKS_MS = [0, 1_000, 3_000];

/** Kinds of failure after which a creation may have happened. */
const AMBIGUOUS = new Set(['network', 'timeout', 'server', 'response']);

export class NerdGraph {
  constructor(
    private readonly newrelic: Pick<NewRelicService, 'graphql' | 'getAccount'>,
    private readonly delay: (
      ms: number,
      signal?: AbortSignal,
    ) => Promise<unknown> = (ms, signal) => sleep(ms, undefined, { signal }),
  ) {}

  /** @throws NotFoundError that names the configured accounts. */
  scope(account: string | undefined, signal?: AbortSignal): Scope {
    return { account: this.newrelic.getAccount(account), signal };
  }

  /** Answers only what is whole. @throws NewRelicError */
  async read<T>(scope: Scope, operation: Operation): Promise<T> {
    return this.call<T>(scope, operation, true);
  }

  /**
   * Carries out a mutation, once; several times where that does no harm.
   *
   * @param field - name of the mutation, whose answer is returned
   * @throws NewRelicError, also for what the answer itself calls an error
   */
  async change<T>(
    scope: Scope,
    field: string,
    operation: Operation,
    options: { repeatable?: boolean } = {},
  ): Promise<T> {
    const data = await this.call<Record<string, T | null>>(
      scope,
      operation,
      options.repeatable ?? false,
    );
    const answer = data[field];
    const errors: BusinessError[] =
      (answer as { errors?: BusinessError[] | null } | null)?.errors ?? [];
    if (!answer || errors.length > 0) {
      const told = errors.map(
        ({ description, message, type }) =>
          `${description ?? message ?? 'no reason'}${type ? ` (${type})` : ''}`,
      );
      throw new NewRelicError(
        `New Relic account '${scope.account.name}' refused ${field}: ${
          told.join('; ') || 'an empty answer'
        }`,
        { kind: 'query', errorClass: errors[0]?.type },
      );
    }
    return answer;
  }

  /**
   * Makes something exactly once. When the answer is lost, it is looked for;
   * it is never made again on suspicion.
   *
   * @throws ServiceUnavailableError when it is not known whether it was made
   */
  async create<T>(
    scope: Scope,
    what: string,
    make: () => Promise<T>,
    find: () => Promise<T | undefined>,
  ): Promise<T> {
    try {
      return await make();
    } catch (error) {
      if (!(error instanceof NewRelicError) || !AMBIGUOUS.has(error.kind)) {
        throw error;
      }
      for (const ms of LOOKS_MS) {
        if (ms > 0) await this.delay(ms, scope.signal);
        try {
          const found = await find();
          if (found !== undefined) return found;
        } catch (problem) {
          if (!(problem instanceof NewRelicError)) throw problem;
        }
      }
      throw new ServiceUnavailableError(
        `It is not known whether New Relic made ${what}: ${error.message}. Repeat the step in a minute; what exists is found then and not made again`,
      );
    }
  }

  /** Deletes something; what is not there is gone. */
  async remove(
    scope: Scope,
    field: string,
    operation: Operation,
  ): Promise<void> {
    try {
      await this.change(scope, field, operation, { repeatable: true });
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  /** All pages of a search. @throws Error above 20 pages: nothing of Rocket's has that many. */
  async pages<T>(
    scope: Scope,
    operation: Operation,
    read: (data: any) => { nextCursor?: string | null; items: T[] },
  ): Promise<T[]> {
    const items: T[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < 20; page++) {
      const data = await this.read(scope, {
        query: operation.query,
        variables: { ...operation.variables, cursor: cursor ?? null },
      });
      const { nextCursor, items: more } = read(data);
      items.push(...more);
      if (!nextCursor) return items;
      cursor = nextCursor;
    }
    throw new ServiceUnavailableError(
      `New Relic account '${scope.account.name}' does not end the pages of an answer`,
    );
  }

  private async call<T>(
    scope: Scope,
    operation: Operation,
    idempotent: boolean,
  ): Promise<T> {
    const { data, errors } = await this.newrelic.graphql<T>(
      scope.account.name,
      operation,
      { signal: scope.signal, idempotent },
    );
    if (errors.length > 0) {
      throw fromNerdGraphErrors(errors, scope.account.name, 'request');
    }
    if (data === null || data === undefined) {
      throw new NewRelicError(
        `New Relic account '${scope.account.name}' gave an empty answer`,
        { kind: 'response' },
      );
    }
    return data;
  }
}

/** New Relic says that it is not there. */
export function isMissing(error: unknown): boolean {
  return (
    error instanceof NewRelicError &&
    (/not found/i.test(error.message) ||
      /NOT_FOUND/.test(error.errorClass ?? ''))
  );
}
