import type { FastifyBaseLogger } from 'fastify';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Worker } from '../platform/service.ts';
import { AnchorConflict, type Anchor } from './anchors.ts';
import { readHead, SHARD } from './chain.ts';
import type { Query } from './sealed.ts';

const ANCHORED = {
  name: 'audit_anchor_head',
  text: 'SELECT seq::text FROM audit_anchor WHERE kind = $1 AND shard = $2 ORDER BY seq DESC LIMIT 1',
};
const KEEP = { name: 'audit_anchored', text: 'SELECT audit_anchored($1, $2, $3, $4, $5)' };

type Options = {
  query: Query;
  anchor: Anchor;
  /** Names the chain to the partner. */
  chain: string;
  /** Milliseconds between two publications. */
  interval: number;
  logger: FastifyBaseLogger;
  registry: Registry;
};

/**
 * Publishes the head of the chain outside, from time to time: each head covers all blocks before it. It is a worker of its own, so that
 * the sealer goes on while the place outside is away; the next head then covers what was missed.
 */
export class Anchoring implements Worker {
  readonly name = 'anchor';
  readonly interval: number;
  readonly #options: Options;
  readonly #head: Gauge;
  readonly #time: Gauge;
  readonly #failures: Counter;

  constructor(options: Options) {
    this.#options = options;
    this.interval = options.interval;
    const registers = [options.registry];
    this.#head = new Gauge({
      name: 'audit_anchored_block',
      help: 'The newest block that this process knows to be published outside.',
      registers,
    });
    this.#time = new Gauge({
      name: 'audit_anchored_timestamp_seconds',
      help: 'When this process last found the head of the chain published outside.',
      registers,
    });
    this.#failures = new Counter({
      name: 'audit_anchor_failures_total',
      help: 'Heads that could not be published: away, or conflict when there is another hash outside.',
      labelNames: ['reason'],
      registers,
    });
    for (const reason of ['away', 'conflict']) this.#failures.inc({ reason }, 0);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { query, anchor, chain, logger } = this.#options;
    const { block } = await readHead(query);
    if (block === undefined) return;
    const { seq, sealedAt } = block.header;
    const [newest] = await query<{ seq: string }>(ANCHORED, [anchor.kind, SHARD]);
    if (Number(newest?.seq ?? 0) < seq) {
      const hash = block.hash.toString('hex');
      try {
        const receipt = await anchor.publish({ chain, shard: SHARD, seq, hash, sealedAt }, signal);
        await query(KEEP, [anchor.kind, SHARD, seq, block.hash, JSON.stringify(receipt)]);
      } catch (error) {
        const conflict = error instanceof AnchorConflict;
        this.#failures.inc({ reason: conflict ? 'conflict' : 'away' });
        if (conflict)
          logger.error({ err: error, block: seq, hash }, 'the audit chain is not the one that was published');
        throw error;
      }
    }
    this.#head.set(seq);
    this.#time.set(Date.now() / 1_000);
  }
}
