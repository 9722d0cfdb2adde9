import { InputError } from '@backstage/errors';
import type { JsonObject, JsonValue } from '@backstage/types';

const REDACTED = '[redacted]';

/** Fields whose text is the secret itself; `passwordRef`, `secretName` and `tokenExpiresAt` are not. */
const SECRET_KEY =
  /(^|[a-z0-9_-])(password|passwd|passphrase|secret|token|api[_-]?key|license[_-]?key|private[_-]?key|access[_-]?key|client[_-]?secret|credentials?)$/i;

/** Texts that give access to something wherever they stand. */
const SECRET_TEXT = [
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[^]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g,
  /\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*/g,
  /\b(gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|rgt_[\w-]{20,}|NRAK-[A-Z0-9]{20,}|AKIA[A-Z0-9]{16}|xox[abp]-[\w-]{10,})/g,
  /\b[0-9a-f]{36}NRAL\b/gi,
  /\bBearer +[\w.~+/-]{16,}=*/gi,
];
/** User name and password in an address; the rest of it may stay. */
const ADDRESS_PASSWORD = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@]*):[^\s/@]+@/gi;

/** Takes what looks like a secret out of a text. */
export function redactText(text: string): string {
  return SECRET_TEXT.reduce(
    (rest, pattern) => rest.replace(pattern, REDACTED),
    text.replace(ADDRESS_PASSWORD, `$1:${REDACTED}@`),
  );
}

function walk(
  value: JsonValue | undefined,
  path: string,
  key: string,
  found: (path: string, text: string) => string,
): JsonValue | undefined {
  if (typeof value === 'string') {
    if (value && SECRET_KEY.test(key)) return found(path, REDACTED);
    const clean = redactText(value);
    return clean === value ? value : found(path, clean);
  }
  if (Array.isArray(value)) {
    return value.map(
      (item, index) => walk(item, `${path}.${index}`, key, found) ?? null,
    );
  }
  if (value && typeof value === 'object') {
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [
        name,
        walk(item, `${path}.${name}`, name, found),
      ]),
    );
  }
  return value;
}

/** The same without what looks like a secret. */
export function redact(value: JsonObject): JsonObject {
  return walk(value, '', '', (_path, text) => text) as JsonObject;
}

/** @throws InputError that names the field when something looks like a secret; its value is not in the message. */
export function refuseSecrets(field: string, value: JsonObject): void {
  walk(value, field, '', path => {
    throw new InputError(
      `${path}: looks like a secret, and the ledger keeps none; pass the name of where it is kept`,
    );
  });
}
