import { createHash, randomBytes } from 'node:crypto';

let lastTime = 0;
let counter = 0;
/** Milliseconds. A clock that is set back by less than this keeps its ids in order; beyond it, it was wrong before. */
const BELIEVED = 10_000;

/**
 * A UUIDv7 (RFC 9562): 48 bits of milliseconds, a 12-bit counter that keeps ids of one process in order
 * within a millisecond, 62 random bits. Ordered ids keep indexes compact.
 */
export function uuidv7(now = Date.now()): string {
  if (now > lastTime || now < lastTime - BELIEVED) {
    lastTime = now;
    counter = 0;
  } else if (++counter > 0xfff) {
    // 4096 ids in one millisecond, or a clock that went back a little: borrow the next millisecond.
    lastTime += 1;
    counter = 0;
  }
  const bytes = randomBytes(16);
  bytes.writeUIntBE(lastTime, 0, 6);
  bytes.writeUInt16BE(0x7000 | counter, 6);
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}

/** SHA-256 of what was asked. The order of object members does not matter; the operation and its target do. */
export function fingerprint(operation: string, body: unknown): Buffer {
  return createHash('sha256')
    .update(JSON.stringify([operation, sorted(body)]))
    .digest();
}
