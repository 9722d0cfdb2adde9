/** Keeps card data and secrets out of the log, wherever they stand: in fields by their names, in texts and numbers by their form. */

const CENSORED = '[redacted]';
/** Deeper than this nothing is logged. */
const DEPTH = 8;

/** Names of fields, without case, `_` and `-`. */
const SECRET = new Set(
  `pan cardnumber primaryaccountnumber accountnumber cvv cvv2 cvc cvc2 cav2 cid securitycode track track1 track2 track3 trackdata
   magstripe pin pinblock iccdata password passwd passphrase secret clientsecret token accesstoken refreshtoken idtoken bearer
   apikey licensekey privatekey authorization proxyauthorization cookie setcookie idempotencykey connectionstring databaseurl`.split(
    /\s+/,
  ),
);

function isSecret(name: string): boolean {
  return SECRET.has(name.toLowerCase().replaceAll(/[_-]/g, ''));
}

/**
 * A copy of a plain value without the contents of fields whose name says that they are secret. Errors and instances of classes are left
 * to the serializers of the logger.
 */
export function hideFields(value: unknown, depth = 0): unknown {
  if (value === null || typeof value !== 'object') return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  const isList = Array.isArray(value);
  if (!isList && prototype !== Object.prototype && prototype !== null) return value;
  if (depth >= DEPTH) return '[too deep]';
  if (isList) return value.map(item => hideFields(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      isSecret(name) && inner !== undefined && inner !== null ? CENSORED : hideFields(inner, depth + 1),
    ]),
  );
}

/** The check digit of card numbers (ISO/IEC 7812-1, annex B). */
export function passesLuhn(digits: string): boolean {
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    let digit = Number(digits[digits.length - 1 - i]);
    if (i % 2 === 1) {
      digit *= 2;
      if (digit > 9) digit -= 9;
    }
    sum += digit;
  }
  return sum % 10 === 0;
}

// First digits 2 to 6: the ranges of payment cards. UUIDs and timestamps in milliseconds begin otherwise or are no such run.
// The fraction of a JSON number stays: a text in its place would be no JSON.
const RUN = /(?<![:[,]-?\d{1,19}\.)(?<!\d)[2-6]\d{12,18}(?!\d)/g;
const GROUPS = /(?<![\w-])[2-6]\d{3}([ -])(?:\d{4}\1\d{4}\1\d{1,7}|\d{6}\1\d{4,5})(?![\w-])/g;
const NUMBER = /(?<=[:[,])[2-6]\d{12,18}(?=[,\]}])/g;
// ISO/IEC 7813: track 1 as %B…^…?, track 2 as ;…=…?
const TRACKS = /%B\d{8,19}\^[^?"]{0,80}\??|;\d{8,19}=\d{4,40}\??/g;
const CREDENTIALS = /\b(Bearer|Basic)\s+[\w.~+/-]{4,}=*/gi;
const URL_PASSWORD = /(:\/\/[^\s:/@"]*:)[^\s@/"]+@/g;

const ifCard = (replacement: string) => (found: string) =>
  passesLuhn(found.replaceAll(/\D/g, '')) ? replacement : found;

/** One line of JSON without card numbers, track data, credentials and passwords in addresses. It stays valid JSON. */
export function scrubLine(line: string): string {
  return line
    .replaceAll(TRACKS, '[track data]')
    .replaceAll(CREDENTIALS, `$1 ${CENSORED}`)
    .replaceAll(URL_PASSWORD, `$1${CENSORED}@`)
    .replaceAll(NUMBER, ifCard('"[card number]"'))
    .replaceAll(RUN, ifCard('[card number]'))
    .replaceAll(GROUPS, ifCard('[card number]'));
}
