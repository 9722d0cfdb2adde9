import {
  AttributeValue,
  Column,
  DictionaryColumn,
  NumberColumn,
  permute,
} from './Column';

const FIRST_CAPACITY = 16;

/**
 * The events of one type and one stretch of time, by column. Rows are kept in
 * order of arrival and sorted by time when a reader needs them.
 */
export class Segment {
  length = 0;
  timestamps = new Float64Array(FIRST_CAPACITY);
  /** Events each row stands for; undefined while every row stands for itself. */
  weights: Float64Array | undefined;
  readonly columns = new Map<string, Column>();
  /** This many rows from the first on are in order of time. */
  private sorted = 0;

  constructor(
    /** Epoch milliseconds, inclusive. */
    readonly begin: number,
    /** Epoch milliseconds, exclusive. */
    readonly end: number,
  ) {}

  /** Adds an empty row and returns its number; fill it with `set`. */
  add(timestamp: number, weight: number): number {
    const row = this.length;
    if (row === this.timestamps.length) {
      this.resize(Math.ceil(row * 1.5));
    }
    const inOrder = row === 0 || timestamp >= this.timestamps[row - 1];
    if (inOrder && this.sorted === row) this.sorted = row + 1;
    this.timestamps[row] = timestamp;
    if (weight !== 1 && !this.weights) {
      this.weights = new Float64Array(this.timestamps.length).fill(1);
    }
    if (this.weights) this.weights[row] = weight;
    this.length = row + 1;
    return row;
  }

  set(row: number, attribute: string, value: AttributeValue) {
    let column = this.columns.get(attribute);
    if (typeof value === 'number') {
      if (!Number.isFinite(value)) return;
      if (!column) {
        column = new NumberColumn(this.timestamps.length);
        this.columns.set(attribute, column);
      }
      if (column.kind === 'number') {
        column.data[row] = value;
        return;
      }
    } else if (!column || column.kind === 'number') {
      column = this.toDictionary(column);
      this.columns.set(attribute, column);
    }
    // Encoding may widen the codes, so it comes before they are looked up.
    const code = column.encode(value);
    column.codes[row] = code;
  }

  /**
   * Rows with from <= timestamp < to, as a half-open range of row numbers.
   * Sorts the segment by time first (stable), when it is not.
   */
  range(from: number, to: number): [number, number] {
    this.sort();
    return [this.firstAtOrAfter(from), this.firstAtOrAfter(to)];
  }

  /** The row as an object, its attributes only. */
  attributes(row: number): Record<string, AttributeValue> {
    const result: Record<string, AttributeValue> = {};
    for (const [name, column] of this.columns) {
      const value = column.get(row);
      if (value !== undefined) result[name] = value;
    }
    return result;
  }

  /** Gives back the spare room of a segment that is not expected to grow. */
  compact() {
    this.sort();
    if (this.timestamps.length > this.length) this.resize(this.length);
  }

  get byteLength(): number {
    let bytes = this.timestamps.byteLength + (this.weights?.byteLength ?? 0);
    for (const column of this.columns.values()) bytes += column.byteLength;
    return bytes;
  }

  private toDictionary(column: NumberColumn | undefined): DictionaryColumn {
    const dictionary = new DictionaryColumn(this.timestamps.length);
    if (column) {
      for (let row = 0; row < this.length; row += 1) {
        const value = column.get(row);
        if (value !== undefined) {
          const code = dictionary.encode(value);
          dictionary.codes[row] = code;
        }
      }
    }
    return dictionary;
  }

  private resize(capacity: number) {
    const size = Math.max(capacity, FIRST_CAPACITY);
    const timestamps = new Float64Array(size);
    timestamps.set(this.timestamps.subarray(0, this.length));
    this.timestamps = timestamps;
    if (this.weights) {
      const weights = new Float64Array(size).fill(1);
      weights.set(this.weights.subarray(0, this.length));
      this.weights = weights;
    }
    for (const column of this.columns.values()) column.resize(size);
  }

  private firstAtOrAfter(timestamp: number, rows = this.length): number {
    let low = 0;
    let high = rows;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.timestamps[middle] < timestamp) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Late events are mostly a little late, so only the end is sorted anew. */
  private sort() {
    if (this.sorted === this.length) return;
    const { timestamps } = this;
    let earliest = Infinity;
    for (let row = this.sorted; row < this.length; row += 1) {
      earliest = Math.min(earliest, timestamps[row]);
    }
    const begin = this.firstAtOrAfter(earliest, this.sorted);
    const order = new Uint32Array(this.length - begin);
    for (let i = 0; i < order.length; i += 1) order[i] = begin + i;
    order.sort((a, b) => timestamps[a] - timestamps[b] || a - b);
    permute(timestamps, order, begin);
    if (this.weights) permute(this.weights, order, begin);
    for (const column of this.columns.values()) column.permute(order, begin);
    this.sorted = this.length;
  }
}
