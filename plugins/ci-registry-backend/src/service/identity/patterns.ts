/** Values of claims that a pattern may name. */
export type ClaimValues = Record<string, unknown>;

type Part =
  | { type: 'text'; text: string }
  | { type: 'claim'; name: string }
  | { type: 'one' }
  /** Any run of characters; `across` also slashes. */
  | { type: 'any'; across: boolean };

const MAX_PATTERN = 300;
const MAX_WILDCARDS = 10;
const MAX_VALUE = 2000;

/** A claim as text; undefined for what is missing, empty or no plain value. */
export function claimText(value: unknown): string | undefined {
  if (typeof value === 'string') return value || undefined;
  if (typeof value === 'boolean' || Number.isSafeInteger(value)) {
    return String(value);
  }
  return undefined;
}

/**
 * A pattern that holds for a whole value, never for a part of it. `*` stands for any characters but `/`, `**` for any
 * characters, `?` for one character but `/`, `{claim}` for the value of a claim, taken literally. Matching takes at most
 * pattern × value steps, whatever they are.
 */
export class Pattern {
  readonly #parts: Part[] = [];

  /** Throws with a reason when the text is no pattern. */
  constructor(readonly text: string) {
    if (!text || text.length > MAX_PATTERN) {
      throw new Error(`must have 1 to ${MAX_PATTERN} characters`);
    }
    const pieces = text.match(/\*\*|\*|\?|\{[^{}]*\}|[{}]|[^*?{}]+/g) ?? [];
    for (const piece of pieces) {
      this.#parts.push(toPart(piece));
    }
    const wildcards = this.#parts.filter(part => part.type === 'any').length;
    if (wildcards > MAX_WILDCARDS) {
      throw new Error(`must have at most ${MAX_WILDCARDS} wildcards`);
    }
  }

  /** With `fold`, upper and lower case are the same. A claim that the token lacks matches nothing. */
  matches(value: string, claims: ClaimValues = {}, fold = false): boolean {
    if (value.length > MAX_VALUE) return false;
    const characters = Array.from(fold ? value.toLowerCase() : value);
    // reached[i]: the parts so far can take exactly the first i characters.
    let reached: boolean[] = new Array(characters.length + 1).fill(false);
    reached[0] = true;
    for (const part of this.#parts) {
      const next = step(part, characters, reached, claims, fold);
      if (!next) return false;
      reached = next;
    }
    return reached[characters.length];
  }
}

function toPart(piece: string): Part {
  if (piece === '**' || piece === '*') {
    return { type: 'any', across: piece === '**' };
  }
  if (piece === '?') return { type: 'one' };
  if (piece.startsWith('{') || piece.startsWith('}')) {
    const name = piece.slice(1, -1);
    if (!name) {
      throw new Error(
        `"${piece}" is not a claim; write the name of one in braces, for example {repository_owner}`,
      );
    }
    return { type: 'claim', name };
  }
  return { type: 'text', text: piece };
}

function step(
  part: Part,
  characters: string[],
  reached: boolean[],
  claims: ClaimValues,
  fold: boolean,
): boolean[] | undefined {
  const next: boolean[] = new Array(reached.length).fill(false);
  if (part.type === 'any') {
    let open = false;
    for (let i = 0; i < reached.length; i++) {
      if (i > 0 && !part.across && characters[i - 1] === '/') open = false;
      open ||= reached[i];
      next[i] = open;
    }
    return next;
  }
  if (part.type === 'one') {
    for (let i = 1; i < reached.length; i++) {
      next[i] = reached[i - 1] && characters[i - 1] !== '/';
    }
    return next;
  }
  const raw =
    part.type === 'text'
      ? part.text
      : claimText(
          Object.hasOwn(claims, part.name) ? claims[part.name] : undefined,
        );
  if (raw === undefined || raw.length > MAX_VALUE) return undefined;
  const text = Array.from(fold ? raw.toLowerCase() : raw);
  for (let i = 0; i + text.length < reached.length; i++) {
    next[i + text.length] =
      reached[i] && text.every((c, offset) => characters[i + offset] === c);
  }
  return next;
}

/** Whether one of them matches. */
export function matchesAny(
  patterns: Pattern[],
  value: string,
  claims?: ClaimValues,
  fold?: boolean,
): boolean {
  return patterns.some(pattern => pattern.matches(value, claims, fold));
}
