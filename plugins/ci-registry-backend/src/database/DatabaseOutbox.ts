import { randomUUID } from 'node:crypto';
import type { Knex } from 'knex';
import type { StoredClaim, StoredEntity } from './EntityStore';
import {
  chunk,
  enqueue,
  lockEntities,
  repeating,
  toStored,
  type EntityRow,
  type OutboxRow,
} from './rows';

/** The queue of changes that the catalog has yet to store; see `EntityStore` for what the calls promise. */
export class DatabaseOutbox {
  readonly #db: Knex;

  constructor(db: Knex) {
    this.#db = db;
  }

  async claim(options: {
    limit: number;
    now: number;
    leaseMs: number;
  }): Promise<StoredClaim> {
    const claimId = randomUUID();
    const claimed = await repeating(this.#db, async tx => {
      const free = tx<OutboxRow>('outbox')
        .where('claimed_until', '<=', options.now)
        .orderBy(['priority', 'enqueued_at', 'entity_ref'])
        .limit(options.limit)
        .forUpdate();
      const rows: OutboxRow[] = await (this.#isPostgres()
        ? free.skipLocked()
        : free);
      for (const part of chunk(rows)) {
        await tx<OutboxRow>('outbox')
          .whereIn(
            'entity_ref',
            part.map(row => row.entity_ref),
          )
          .update({
            claim_id: claimId,
            claimed_until: options.now + options.leaseMs,
          });
      }
      return rows;
    });
    // Read after the claim: a change that came in between is handed out at once, and
    // acknowledged with the version that was handed out.
    const byRef = new Map<string, StoredEntity>();
    for (const part of chunk(claimed)) {
      const rows = await this.#db<EntityRow>('entities').whereIn(
        'entity_ref',
        part.map(row => row.entity_ref),
      );
      rows.forEach(row => byRef.set(row.entity_ref, toStored(row)));
    }
    return {
      claimId,
      changes: claimed.flatMap(row => {
        const stored = byRef.get(row.entity_ref);
        return stored
          ? [{ stored, repeated: stored.appliedVersion >= stored.version }]
          : [];
      }),
    };
  }

  async acknowledge(
    claimId: string,
    changes: { entityRef: string; version: number }[],
    now: number,
  ): Promise<void> {
    for (const part of chunk(changes)) {
      await repeating(this.#db, tx =>
        this.#acknowledge(tx, claimId, part, now),
      );
    }
  }

  async repeatAll(now: number): Promise<number> {
    const waiting = async () => {
      const [row] = await this.#db('outbox').count({ n: '*' });
      return Number(row.n);
    };
    const before = await waiting();
    await this.#db.raw(
      `insert into outbox (entity_ref, version, priority, enqueued_at, claimed_until)
       select entity_ref, version, 1, ?, 0 from entities where 1 = 1
       on conflict (entity_ref) do nothing`,
      [now],
    );
    return Math.max(0, (await waiting()) - before);
  }

  async #acknowledge(
    tx: Knex.Transaction,
    claimId: string,
    changes: { entityRef: string; version: number }[],
    now: number,
  ): Promise<void> {
    const entities = await lockEntities(
      tx,
      changes.map(change => change.entityRef),
    );
    const held = new Set(
      (
        await tx<OutboxRow>('outbox')
          .where('claim_id', claimId)
          .whereIn('entity_ref', [...entities.keys()])
          .select('entity_ref')
      ).map(row => row.entity_ref),
    );
    const done: string[] = [];
    const newer: string[] = [];
    const lost: { entityRef: string; version: number }[] = [];
    for (const { entityRef, version } of changes) {
      const entity = entities.get(entityRef);
      if (!entity) {
        continue;
      }
      if (!held.has(entityRef)) {
        // Too late: another took it meanwhile, and this old version may have been
        // written after its newer one. Whoever comes next puts that right.
        lost.push({ entityRef, version: entity.version });
      } else if (version >= entity.version) {
        done.push(entityRef);
      } else {
        newer.push(entityRef);
      }
    }
    await tx<OutboxRow>('outbox').whereIn('entity_ref', done).delete();
    await tx<EntityRow>('entities')
      .whereIn('entity_ref', done)
      .update({ applied_version: tx.ref('version') as unknown as number });
    await tx<OutboxRow>('outbox')
      .whereIn('entity_ref', newer)
      .update({ claim_id: null, claimed_until: 0 });
    await enqueue(tx, lost, now);
  }

  #isPostgres(): boolean {
    return this.#db.client.config.client === 'pg';
  }
}
