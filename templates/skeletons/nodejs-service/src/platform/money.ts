import { CURRENCY_EXPONENTS } from './currencies.ts';

/** Minor units of a currency in bigint: `1050n` USD is 10.50 dollars. JSON numbers are never used for money. */

export { CURRENCY_EXPONENTS };

/** An amount to move: digits only, above zero, at most 18 of them, so that sums stay far from the end of bigint. */
export const AMOUNT_PATTERN = '^[1-9][0-9]{0,17}$';

/** An amount that may be zero or negative. */
export const SIGNED_AMOUNT_PATTERN = '^(0|-?[1-9][0-9]{0,18})$';

/**
 * Minor units as a decimal number for people: `1050n` USD → `10.50`, `1050n` JPY → `1050`, `5n` KWD → `0.005`.
 * Throws a RangeError for a currency that is not in ISO 4217.
 */
export function formatMinor(value: bigint, currency: string): string {
  const exponent = CURRENCY_EXPONENTS.get(currency);
  if (exponent === undefined) throw new RangeError(`unknown currency ${currency}`);
  const digits = (value < 0n ? -value : value).toString().padStart(exponent + 1, '0');
  const whole = digits.slice(0, digits.length - exponent);
  const fraction = exponent === 0 ? '' : `.${digits.slice(digits.length - exponent)}`;
  return `${value < 0n ? '-' : ''}${whole}${fraction}`;
}
