/**
 * The ledger in a hundred lines, without SQL: what must come out of a history of requests. Account 0 is the bank and may go below zero,
 * the others may not. Amounts are small, so numbers do.
 */
export type Posting = { kind: 'post' | 'hold'; from: number; to: number; value: number };

type Known = { request: string; answer: string };
type Written = { from: number; to: number; left: number };

export class Model {
  readonly posted: number[];
  readonly held: number[];
  readonly entries: number[];
  readonly frozen = new Set<number>();
  /** What moved money, in the order of writing. */
  readonly transactions: Written[] = [];
  /** Pending ones; `open` until they are settled. */
  readonly holds: { from: number; to: number; value: number; open: boolean }[] = [];
  readonly #keys = new Map<string, Known>();

  constructor(accounts: number) {
    this.posted = Array.from({ length: accounts }, () => 0);
    this.held = Array.from({ length: accounts }, () => 0);
    this.entries = Array.from({ length: accounts }, () => 0);
  }

  /** Answers again what was answered to the key; another request under it is a mismatch. */
  once(key: string, request: string, decide: () => string): string {
    const known = this.#keys.get(key);
    if (known) return known.request === request ? `${known.answer} again` : 'idempotency-mismatch';
    const answer = decide();
    this.#keys.set(key, { request, answer });
    return answer;
  }

  decide({ kind, from, to, value }: Posting): string {
    if (this.frozen.has(from) || this.frozen.has(to)) return 'account-frozen';
    if (kind === 'hold') {
      if (this.#lacks(from, value)) return 'insufficient-funds';
      this.held[from]! += value;
      this.holds.push({ from, to, value, open: true });
      return 'ok';
    }
    if (from !== to && this.#lacks(from, value)) return 'insufficient-funds';
    this.#move(from, to, value);
    this.transactions.push({ from, to, left: value });
    return 'ok';
  }

  batch(postings: Posting[]): string {
    return postings.map(posting => this.decide(posting)).join();
  }

  reverse(which: number, value?: number): string {
    const original = this.transactions[which]!;
    const amount = value ?? original.left;
    if (original.left === 0 || amount > original.left) return 'already-reversed';
    if (this.frozen.has(original.from) || this.frozen.has(original.to)) return 'account-frozen';
    if (original.from !== original.to && this.#lacks(original.to, amount)) return 'insufficient-funds';
    original.left -= amount;
    this.#move(original.to, original.from, amount);
    return 'ok';
  }

  settle(which: number, how: 'post' | 'void', value?: number): string {
    const hold = this.holds[which]!;
    if (!hold.open) return 'already-resolved';
    if (how === 'post') {
      if (value !== undefined && value > hold.value) return 'pending-exceeded';
      if (this.frozen.has(hold.from) || this.frozen.has(hold.to)) return 'account-frozen';
      this.#move(hold.from, hold.to, value ?? hold.value);
      this.transactions.push({ from: hold.from, to: hold.to, left: value ?? hold.value });
    }
    hold.open = false;
    this.held[hold.from]! -= hold.value;
    return 'ok';
  }

  balances(): string[] {
    return this.posted.map((posted, i) => `${posted} ${this.held[i]} ${posted - this.held[i]!} v${this.entries[i]}`);
  }

  #lacks(account: number, value: number): boolean {
    return account !== 0 && this.posted[account]! - this.held[account]! < value;
  }

  #move(from: number, to: number, value: number): void {
    this.posted[from]! -= value;
    this.posted[to]! += value;
    this.entries[from]! += 1;
    this.entries[to]! += 1;
  }
}
