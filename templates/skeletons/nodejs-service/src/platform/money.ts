/** Minor units of a currency in bigint: `1050n` USD is 10.50 dollars. JSON numbers are never used for money. */

/** Digits of the minor unit where it is not 2 (ISO 4217). */
const EXPONENTS: Record<number, string> = {
  0: 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF',
  3: 'BHD IQD JOD KWD LYD OMR TND',
  4: 'CLF UYW',
};

const TWO_DIGITS =
  'AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE ' +
  'CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR ' +
  'KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB ' +
  'PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY ' +
  'TTD TWD TZS UAH USD UYU UZS VES WST XCD XCG YER ZAR ZMW ZWG';

/** Currency code to the number of digits of its minor unit. The table `currency` holds the same. */
export const CURRENCY_EXPONENTS: ReadonlyMap<string, number> = new Map([
  ...TWO_DIGITS.split(' ').map(code => [code, 2] as const),
  ...Object.entries(EXPONENTS).flatMap(([exponent, codes]) =>
    codes.split(' ').map(code => [code, Number(exponent)] as const),
  ),
]);

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
