/** What an attribute of an event may hold. */
export type AttributeValue = string | number | boolean;

type Codes = Uint8Array | Uint16Array | Uint32Array;

/** Numbers, one per row; NaN stands for "this event has no such attribute". */
export class NumberColumn {
  readonly kind = 'number' as const;
  data: Float64Array;

  constructor(capacity: number) {
    this.data = new Float64Array(capacity).fill(NaN);
  }

  get(row: number): AttributeValue | undefined {
    const value = this.data[row];
    return Number.isNaN(value) ? undefined : value;
  }

  resize(capacity: number) {
    const data = new Float64Array(capacity);
    const kept = Math.min(this.data.length, capacity);
    data.set(this.data.subarray(0, kept));
    data.fill(NaN, kept);
    this.data = data;
  }

  /** Row begin+i becomes what row order[i] was. */
  permute(order: Uint32Array, begin: number) {
    permute(this.data, order, begin);
  }

  get byteLength(): number {
    return this.data.byteLength;
  }
}

/**
 * Strings and booleans (and numbers, once an attribute was seen with several
 * types), one small code per row into a dictionary of its own. Code 0 stands
 * for "this event has no such attribute". Codes take one byte until the
 * dictionary outgrows it.
 */
export class DictionaryColumn {
  readonly kind = 'dictionary' as const;
  codes: Codes;
  readonly values: (AttributeValue | undefined)[] = [undefined];
  private readonly index = new Map<AttributeValue, number>();
  private lastValue: AttributeValue | undefined;
  private lastCode = 0;

  constructor(capacity: number) {
    this.codes = new Uint8Array(capacity);
  }

  /** Code of a value, added to the dictionary when it is new. */
  encode(value: AttributeValue): number {
    if (value === this.lastValue) return this.lastCode;
    let code = this.index.get(value);
    if (code === undefined) {
      code = this.values.length;
      this.values.push(value);
      this.index.set(value, code);
      this.widen(code);
    }
    this.lastValue = value;
    this.lastCode = code;
    return code;
  }

  get(row: number): AttributeValue | undefined {
    return this.values[this.codes[row]];
  }

  resize(capacity: number) {
    const codes = newCodes(this.codes, capacity);
    codes.set(this.codes.subarray(0, Math.min(this.codes.length, capacity)));
    this.codes = codes;
  }

  /** Row begin+i becomes what row order[i] was. */
  permute(order: Uint32Array, begin: number) {
    permute(this.codes, order, begin);
  }

  get byteLength(): number {
    return this.codes.byteLength + this.values.length * 16;
  }

  private widen(code: number) {
    if (code === 0x100) this.codes = Uint16Array.from(this.codes);
    else if (code === 0x10000) this.codes = Uint32Array.from(this.codes);
  }
}

export type Column = NumberColumn | DictionaryColumn;

/** Element begin+i becomes what element order[i] was; order names begin.. only. */
export function permute(
  array: Float64Array | Codes,
  order: Uint32Array,
  begin: number,
) {
  const before = array.slice(begin, begin + order.length);
  for (let i = 0; i < order.length; i += 1) {
    array[begin + i] = before[order[i] - begin];
  }
}

function newCodes(like: Codes, capacity: number): Codes {
  if (like instanceof Uint8Array) return new Uint8Array(capacity);
  if (like instanceof Uint16Array) return new Uint16Array(capacity);
  return new Uint32Array(capacity);
}
