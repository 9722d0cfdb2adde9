import type { BackstageCredentials } from '@backstage/backend-plugin-api';
import { ConflictError, InputError, NotFoundError } from '@backstage/errors';
import type {
  BudgetReset,
  MaintenanceWindow,
} from '@rocket/plugin-critical-paths-common';
import type { CriticalPathsSettings } from '../settings';
import type { PolicyStore, StoredMaintenance } from '../store/PolicyStore';
import type { SignalStore } from '../store/SignalStore';
import { isoOfMinute } from './figures';
import type { PathDirectory } from './PathDirectory';
import { toMaintenanceWindow } from './rows';

const HOUR = 60;
const DAY = 1440;
/** Longest stretch that may be declared at once, in minutes. */
export const MAX_MAINTENANCE_MINUTES = 7 * DAY;
/** How far ahead downtime may be declared, in minutes. */
export const MAX_AHEAD_MINUTES = 90 * DAY;

/** Lets people leave planned downtime out of the figures and start budgets anew. */
export class PolicyService {
  readonly #policy: PolicyStore;
  readonly #store: Pick<SignalStore, 'sumUpAgain'>;
  readonly #directory: PathDirectory;
  readonly #settings: CriticalPathsSettings;
  readonly #changed: () => void;
  readonly #now: () => number;

  constructor(options: {
    policy: PolicyStore;
    store: Pick<SignalStore, 'sumUpAgain'>;
    directory: PathDirectory;
    settings: CriticalPathsSettings;
    /** Called after every change, so that this replica answers by it at once. */
    changed?: () => void;
    now?: () => number;
  }) {
    this.#policy = options.policy;
    this.#store = options.store;
    this.#directory = options.directory;
    this.#settings = options.settings;
    this.#changed = options.changed ?? (() => {});
    this.#now = options.now ?? Date.now;
  }

  /** Windows that are not over longer than 30 days, of the paths that the caller may see. */
  async list(
    credentials: BackstageCredentials,
    pathRef?: string,
  ): Promise<MaintenanceWindow[]> {
    const visible = await this.#directory.visibleTo(credentials);
    const windows = await this.#policy.listMaintenance({
      pathRef,
      from: this.#minute() - 30 * DAY,
      to: this.#minute() + MAX_AHEAD_MINUTES + MAX_MAINTENANCE_MINUTES,
    });
    return windows
      .filter(window => visible.has(window.pathRef))
      .map(toMaintenanceWindow);
  }

  /**
   * Declares planned downtime. Minutes that are over are left out of the
   * figures at once.
   *
   * @throws InputError when the times are not possible; the message says why
   * @throws NotFoundError when there is no such path or the caller may not see it
   */
  async declare(
    input: { pathRef: string; from: Date; to: Date; reason: string },
    createdBy: string,
    credentials: BackstageCredentials,
  ): Promise<MaintenanceWindow> {
    await this.#see(input.pathRef, credentials);
    // Whole minutes that hold all of what was asked for.
    const from = Math.floor(input.from.getTime() / 60_000);
    const to = Math.ceil(input.to.getTime() / 60_000);
    const now = this.#minute();
    if (to <= from) {
      throw new InputError(
        `body field to must be after from (${input.from.toISOString()}), was ${input.to.toISOString()}`,
      );
    }
    if (to - from > MAX_MAINTENANCE_MINUTES) {
      throw new InputError(
        `body field to must be at most ${
          MAX_MAINTENANCE_MINUTES / DAY
        } days after from, was ${input.to.toISOString()}`,
      );
    }
    if (from > now + MAX_AHEAD_MINUTES) {
      throw new InputError(
        `body field from must be within the next ${
          MAX_AHEAD_MINUTES / DAY
        } days, was ${input.from.toISOString()}`,
      );
    }
    this.#inKeptMinutes(from, 'body field from');
    const stored = await this.#policy.addMaintenance({
      pathRef: input.pathRef,
      from,
      to,
      reason: input.reason,
      createdBy,
      createdTime: Math.floor(this.#now() / 1000),
    });
    try {
      await this.#sumUp(stored);
    } catch (error) {
      // Half of it in the sums would be worse than nothing.
      await this.#policy.deleteMaintenance(stored.id);
      throw error;
    }
    this.#changed();
    return toMaintenanceWindow(stored);
  }

  /**
   * Takes a window back: one that goes on ends now, one that is over or still
   * to come goes away, and its requests count again.
   *
   * @throws ConflictError when it is so long over that its minutes are deleted
   */
  async withdraw(
    id: string,
    credentials: BackstageCredentials,
  ): Promise<MaintenanceWindow> {
    const stored = await this.#policy.getMaintenance(id);
    const visible = await this.#directory.visibleTo(credentials);
    if (!stored || !visible.has(stored.pathRef)) {
      throw new NotFoundError(`No planned downtime ${id}`);
    }
    const now = this.#minute();
    if (stored.from < now && stored.to > now) {
      await this.#policy.endMaintenance(id, now);
      await this.#sumUp({ ...stored, from: now });
      this.#changed();
      return toMaintenanceWindow({ ...stored, to: now });
    }
    if (stored.from < this.#oldestMinute()) {
      throw new ConflictError(
        `Planned downtime ${id} ended at ${isoOfMinute(
          stored.to,
        )} and its minutes are no longer kept; what it left out cannot be counted again`,
      );
    }
    await this.#policy.deleteMaintenance(id);
    await this.#sumUp(stored);
    this.#changed();
    return toMaintenanceWindow(stored);
  }

  /**
   * Starts the budgets of a path anew: events before this minute no longer
   * count for its objectives. The figures themselves stay.
   *
   * @throws NotFoundError when there is no such path or the caller may not see it
   */
  async resetBudget(
    pathRef: string,
    reason: string,
    createdBy: string,
    credentials: BackstageCredentials,
  ): Promise<BudgetReset> {
    await this.#see(pathRef, credentials);
    const stored = await this.#policy.addReset({
      pathRef,
      at: this.#minute(),
      reason,
      createdBy,
    });
    this.#changed();
    return { ...stored, at: isoOfMinute(stored.at) };
  }

  async #see(pathRef: string, credentials: BackstageCredentials) {
    const visible = await this.#directory.visibleTo(credentials);
    if (!visible.has(pathRef)) {
      throw new NotFoundError(`No critical path ${pathRef} in the catalog`);
    }
  }

  /** Sums are made again from minutes, so these must still be there. */
  #inKeptMinutes(from: number, field: string): void {
    const oldest = this.#oldestMinute();
    if (from < oldest) {
      throw new InputError(
        `${field} must be ${isoOfMinute(
          oldest,
        )} or later, since older minutes are not kept, was ${isoOfMinute(
          from,
        )}`,
      );
    }
  }

  #oldestMinute(): number {
    const kept = this.#minute() - this.#settings.retentionMinutes.minutes;
    return (Math.floor(kept / HOUR) + 2) * HOUR;
  }

  async #sumUp({ pathRef, from, to }: StoredMaintenance): Promise<void> {
    const end = Math.min(to, this.#minute() + 1);
    if (end > from) {
      await this.#store.sumUpAgain(
        pathRef,
        from,
        end,
        Math.floor(this.#now() / 1000),
      );
    }
  }

  #minute(): number {
    return Math.floor(this.#now() / 60_000);
  }
}
