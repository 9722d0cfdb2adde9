import { isDeepStrictEqual } from 'node:util';

/** The service is wrong: says what was expected of it and what came. */
export class ConformanceError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConformanceError';
  }
}

/** Throws a ConformanceError unless the condition holds. */
export function must(condition: unknown, message: string): asserts condition {
  if (!condition) throw new ConformanceError(message);
}

export function show(value: unknown): string {
  const text =
    typeof value === 'bigint'
      ? `${value}n`
      : JSON.stringify(value, (_key, inner) =>
          typeof inner === 'bigint' ? `${inner}n` : inner,
        );
  if (text === undefined) return String(value);
  return text.length > 1_500 ? `${text.slice(0, 1_500)}…` : text;
}

/** Deep equality. `what` names the value in the message. */
export function equal(actual: unknown, expected: unknown, what: string): void {
  must(
    isDeepStrictEqual(actual, expected),
    `${what} is ${show(actual)}, expected ${show(expected)}`,
  );
}

/** Each member of `expected` is in `actual` with an equal value. */
export function includes(
  actual: Record<string, unknown>,
  expected: Record<string, unknown>,
  what: string,
): void {
  for (const [name, value] of Object.entries(expected))
    equal(actual?.[name], value, `${what}: ${name}`);
}

/**
 * Polls until `probe` gives something else than undefined. Between two calls it waits `pause` ms.
 * Throws with `what` and the time waited when that does not happen within `timeout` ms.
 */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined>,
  { timeout = 30_000, pause = 100 } = {},
): Promise<T> {
  const end = Date.now() + timeout;
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    must(Date.now() < end, `${what}: not within ${timeout} ms`);
    await new Promise(resolve => setTimeout(resolve, pause));
  }
}
