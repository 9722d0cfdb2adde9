import type { Knex } from 'knex';
import { repeating } from '../rows';
import type { PendingDeployment } from './DeliveryStore';
import { toDeployment, type DeploymentRow, type OutboxRow } from './rows';

/** Deployments that the critical paths have yet to hear of; see `DeliveryStore` for what the calls promise. */
export class DatabaseDeliveryOutbox {
  readonly #db: Knex;

  constructor(db: Knex) {
    this.#db = db;
  }

  async claim(options: {
    limit: number;
    now: number;
    leaseMs: number;
  }): Promise<PendingDeployment[]> {
    const { limit, now, leaseMs } = options;
    const claimed = await repeating(this.#db, async tx => {
      const due = tx<OutboxRow>('delivery_outbox')
        .where('next_attempt_at', '<=', now)
        .orderBy(['next_attempt_at', 'component', 'id'])
        .limit(limit)
        .forUpdate();
      const rows: OutboxRow[] = await (this.#db.client.config.client === 'pg'
        ? due.skipLocked()
        : due);
      for (const { component, id } of rows) {
        await tx<OutboxRow>('delivery_outbox')
          .where({ component, id })
          .update({ next_attempt_at: now + leaseMs });
      }
      return rows;
    });
    const pending: PendingDeployment[] = [];
    for (const { component, id, revision, attempts } of claimed) {
      const row = await this.#db<DeploymentRow>('deployments')
        .where({ component, id })
        .first();
      if (row) {
        pending.push({ deployment: toDeployment(row), revision, attempts });
      } else {
        await this.#db('delivery_outbox').where({ component, id }).delete();
      }
    }
    return pending;
  }

  async settle(pending: PendingDeployment): Promise<void> {
    const { component, id } = pending.deployment;
    await this.#db('delivery_outbox')
      .where({ component, id, revision: pending.revision })
      .delete();
  }

  async postpone(
    pending: PendingDeployment,
    failure: { nextAttemptAt: number; error: string },
  ): Promise<void> {
    const { component, id } = pending.deployment;
    await this.#db<OutboxRow>('delivery_outbox')
      .where({ component, id, revision: pending.revision })
      .update({
        attempts: pending.attempts + 1,
        next_attempt_at: failure.nextAttemptAt,
        last_error: failure.error.slice(0, 1000),
      });
  }
}
