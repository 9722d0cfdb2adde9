import { AuthorizeResult } from '@backstage/plugin-permission-common';
import type {
  BoardRow,
  BoardWindow,
  PathDetail,
} from '@rocket/plugin-critical-paths-common';
import type { Entity } from '@backstage/catalog-model';
import type { Knex } from 'knex';
import request from 'supertest';
import { componentEntity, pathEntity } from '../testing/entities';
import { FakeSource } from '../testing/FakeSource';
import { startStack } from './stack';

/** Noon (UTC) of the day that the tests are set in, in minutes since the epoch. */
export const NOON = Date.parse('2026-03-10T12:00:00Z') / 60_000;
/** When a {@link PostingWorld} begins, in milliseconds. */
export const START = (NOON + 0.5) * 60_000;

/** The path `posting` (gateway, payments, ledger), 100 requests a minute at each step, and a clock. */
export class PostingWorld {
  now = START;
  source = new FakeSource(() => ({ valid: 100, good: 100, durationMs: 50 }));
  entities: Entity[] = [
    pathEntity('posting', ['gateway', 'payments', 'ledger'], {
      objectives: [{ sli: 'availability', target: 99, windowDays: 1 }],
    }),
    ...['gateway', 'payments', 'ledger'].map(name => componentEntity(name)),
  ];
  /** Whether the caller may do more than read. */
  allowed = true;

  /** `bad` of 100 requests of the named applications fail in the minutes that `at` says. */
  outage(
    at: (minute: number) => boolean,
    bad = 20,
    names = ['gateway', 'payments', 'ledger'],
  ): void {
    this.source.traffic = ({ appName }, minute) => ({
      valid: 100,
      good: at(minute) && names.includes(appName) ? 100 - bad : 100,
      durationMs: 50,
    });
  }

  async start(knex: Knex) {
    const stack = await startStack({
      knex,
      source: this.source,
      entities: this.entities,
      now: () => this.now,
      decide: name =>
        this.allowed || name === 'critical-paths.read'
          ? AuthorizeResult.ALLOW
          : AuthorizeResult.DENY,
    });
    return {
      ...stack,
      /** A row of a board of the newest figures. */
      row: async (
        name = 'posting',
        window: BoardWindow = '1h',
      ): Promise<BoardRow> => {
        this.now += 6001;
        await stack.freshBoard(window);
        const { body } = await request(stack.app).get(
          `/paths?window=${window}`,
        );
        return body.rows.find((row: BoardRow) => row.name === name);
      },
      /** The page of a path of the newest figures, a minute later. */
      page: async (
        window: BoardWindow = '1h',
        name = 'posting',
      ): Promise<PathDetail> => {
        // A page that is older than a minute is never handed out.
        this.now += 70_001;
        await stack.cycle();
        await stack.freshBoard(window);
        const { body, status } = await request(stack.app).get(
          `/paths/default/${name}?window=${window}`,
        );
        if (status !== 200) {
          throw new Error(JSON.stringify(body));
        }
        return body;
      },
    };
  }
}
