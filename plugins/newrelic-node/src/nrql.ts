import { InputError } from '@backstage/errors';

/** NRQL text that is known to be well formed; made only by the helpers here. */
export class NrqlFragment {
  readonly #text: string;

  private constructor(text: string) {
    this.#text = text;
  }

  /** For text written in the source code, never for input. */
  static ofTrustedText(text: string): NrqlFragment {
    return new NrqlFragment(text);
  }

  toString(): string {
    return this.#text;
  }
}

/** Values that may stand in an `nrql` template. */
export type NrqlValue =
  | string
  | number
  | boolean
  | Date
  | NrqlFragment
  | readonly (string | number)[];

// Controls, invisible format characters, lone surrogates, unassigned code
// points and line separators: nothing an application's name needs, and the
// only characters for which it is unknown how NRQL reads them in a literal.
const UNSAFE_IN_STRING = /[\p{C}\p{Zl}\p{Zp}]/u;
const PLAIN_IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$/;
const QUOTABLE_IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_.:/ -]{0,254}$/;
const KEYWORDS = new Set(
  (
    'ago and as asc by compare desc eventtype extrapolate facet false from in is join ' +
    'like limit max not null offset on or order raw rlike select show since timeseries ' +
    'timezone true until where with'
  ).split(' '),
);

/**
 * A string as an NRQL literal in single quotes; `\` and `'` get a backslash.
 *
 * @throws InputError for control and invisible characters
 */
export function nrqlString(value: string): string {
  if (UNSAFE_IN_STRING.test(value)) {
    throw new InputError(
      `${JSON.stringify(
        value.slice(0, 80),
      )} cannot be used in an NRQL query: ` +
        `it contains control or invisible characters`,
    );
  }
  return `'${value.replace(/[\\']/g, '\\$&')}'`;
}

/**
 * An attribute or event type name: letters, digits, `_` and dots stand as they
 * are; `:`, `/`, `-`, blanks and reserved words are put in backticks.
 *
 * @throws InputError for anything else
 */
export function nrqlIdentifier(name: string): string {
  if (PLAIN_IDENTIFIER.test(name) && !KEYWORDS.has(name.toLowerCase())) {
    return name;
  }
  if (QUOTABLE_IDENTIFIER.test(name)) {
    return `\`${name}\``;
  }
  throw new InputError(
    `${JSON.stringify(
      name.slice(0, 80),
    )} is not an attribute name that Rocket puts in an NRQL query; ` +
      `allowed are letters, digits and _ . : / - and blanks, starting with a letter or _`,
  );
}

/**
 * A finite number in decimal notation with at most 9 decimals.
 *
 * @throws InputError for NaN, infinities and magnitudes from 1e21 on
 */
export function nrqlNumber(value: number): string {
  if (!Number.isFinite(value) || Math.abs(value) >= 1e21) {
    throw new InputError(
      `${value} cannot be used as a number in an NRQL query`,
    );
  }
  if (Number.isInteger(value)) return String(value === 0 ? 0 : value);
  const text = value.toFixed(9).replace(/\.?0+$/, '');
  return text === '-0' ? '0' : text;
}

function render(value: NrqlValue): string {
  if (value instanceof NrqlFragment) return value.toString();
  if (value instanceof Date) return nrqlNumber(value.getTime());
  if (Array.isArray(value)) {
    if (value.length === 0) {
      throw new InputError('An NRQL list needs at least one value');
    }
    return `(${value.map(item => render(item)).join(', ')})`;
  }
  switch (typeof value) {
    case 'string':
      return nrqlString(value);
    case 'number':
      return nrqlNumber(value);
    case 'boolean':
      return value ? 'TRUE' : 'FALSE';
    default:
      throw new InputError(
        `A value of type ${typeof value} cannot be used in an NRQL query`,
      );
  }
}

function template(
  strings: TemplateStringsArray,
  ...values: NrqlValue[]
): NrqlFragment {
  return NrqlFragment.ofTrustedText(
    strings.reduce(
      (text, part, index) => `${text}${render(values[index - 1])}${part}`,
    ),
  );
}

/**
 * Builds NRQL: strings become escaped literals, numbers decimals, dates epoch
 * milliseconds, arrays lists in parentheses; fragments are put in as they are.
 *
 * @example nrql`FROM Transaction SELECT count(*) WHERE appName IN ${names}`.toString()
 */
export const nrql = Object.assign(template, {
  /** An allow-listed identifier, see {@link nrqlIdentifier}. */
  id: (name: string) => NrqlFragment.ofTrustedText(nrqlIdentifier(name)),
  /** Fragments with a separator that is written in the source code. */
  join: (fragments: readonly NrqlFragment[], separator = ', ') =>
    NrqlFragment.ofTrustedText(fragments.map(String).join(separator)),
});
