import type { LoggerService } from '@backstage/backend-plugin-api';
import type { ChangeStore, StoredChange } from '../changes/ChangeStore';
import type { PathDirectory, PathModel } from '../service/PathDirectory';
import type { CriticalPathsSettings } from '../settings';
import type {
  BurnStore,
  BurnWrite,
  StoredChangeBurn,
} from '../store/BurnStore';
import type { PolicyStore } from '../store/PolicyStore';
import { addRange, mergeRanges, type MinuteRange } from '../store/ranges';
import { breathe } from '../store/rows';
import { seriesKey } from '../store/seriesKey';
import type { Series, SignalStore, StoreChange } from '../store/SignalStore';
import {
  attributePath,
  attributedPath,
  type AttributedPath,
} from './attributePath';
import { burnOfChange, changeId } from './changeBurn';

const HOUR = 60;
/** Name of the note of how far the changes were followed. */
const PROGRESS = 'burn';
/** Change numbers are read again this far back: they may become visible out of order. */
const SEQ_OVERLAP = 50;
/** Hours of a path that are judged and stored at once. */
const CHUNK_HOURS = 48;
/** Chunks that are written together: SQLite waits for the disk once for all of them. */
const WRITES_AT_ONCE = 20;
/** A minute beyond any window. */
const FAR = 2 ** 31 - 1;

/** Work that a run did. */
export interface RollupResult {
  /** Hours of paths that were judged. */
  hours: number;
  /** Deployments whose burn was worked out. */
  deployments: number;
}

/**
 * Keeps the attribution of every path as sums per hour and day, and the burn
 * after each deployment, so that a window of a month is read in a moment and
 * both outlive the minutes that they are made of. Follows the change records of
 * the store: new minutes, late data, back-fills and planned downtime. Runs on
 * one replica at a time; a run that is killed is made good by the next.
 */
export class BurnRollup {
  readonly #store: SignalStore;
  readonly #burns: BurnStore;
  readonly #policy: Pick<PolicyStore, 'listMaintenance'>;
  readonly #changes: Pick<ChangeStore, 'listChanges'>;
  readonly #directory: Pick<PathDirectory, 'model'>;
  readonly #settings: CriticalPathsSettings;
  readonly #logger: LoggerService;
  readonly #now: () => number;
  #seen = new Set<number>();
  #model?: PathModel;

  constructor(options: {
    store: SignalStore;
    burns: BurnStore;
    policy: Pick<PolicyStore, 'listMaintenance'>;
    changes: Pick<ChangeStore, 'listChanges'>;
    directory: Pick<PathDirectory, 'model'>;
    settings: CriticalPathsSettings;
    logger: LoggerService;
    now?: () => number;
  }) {
    this.#store = options.store;
    this.#burns = options.burns;
    this.#policy = options.policy;
    this.#changes = options.changes;
    this.#directory = options.directory;
    this.#settings = options.settings;
    this.#logger = options.logger;
    this.#now = options.now ?? Date.now;
  }

  /** Takes over everything that was written since the last run. Stops between paths when aborted. */
  async run(signal: AbortSignal): Promise<RollupResult> {
    const started = this.#now();
    const model = await this.#directory.model();
    const progress = await this.#burns.progress(PROGRESS);
    const { changes, oldest } = await this.#store.changesSince(
      Math.max(0, (progress ?? 0) - SEQ_OVERLAP),
    );
    const fresh = changes.filter(change => !this.#seen.has(change.seq));
    const series = await this.#store.listSeries();
    // From the start when records are gone, and for the minutes that are kept
    // when a path or what it depends on became another one.
    const all: StoreChange[] = [];
    const until = Math.floor(started / 60_000) + 1;
    if (
      progress === undefined ||
      (oldest !== undefined && oldest > progress + 1)
    ) {
      const from = until - this.#settings.retentionMinutes.hours;
      all.push({ seq: 0, from, to: until });
    } else if (this.#model && this.#model !== model) {
      const from = until - this.#settings.retentionMinutes.minutes + 2 * HOUR;
      all.push({ seq: 0, from, to: until });
    }
    const result: RollupResult = { hours: 0, deployments: 0 };
    const dirty = dirtyHours([...fresh, ...all], series);
    const minutesFrom = until - this.#settings.retentionMinutes.minutes;
    const downtime = await this.#downtime();
    const seriesByKey = new Map(series.map(s => [seriesKey(s), s]));
    const writes: BurnWrite[] = [];
    for (const [pathRef, resolved] of model.paths) {
      if (signal.aborted) {
        return result;
      }
      const ranges = dirty.get(pathRef) ?? [];
      if (ranges.length === 0) {
        continue;
      }
      const path = attributedPath(resolved, seriesByKey);
      const down = downtime.get(pathRef) ?? [];
      for (const [from, to] of ranges) {
        for (let end = Math.min(to, until + HOUR); end > from; ) {
          const start = Math.max(from, end - CHUNK_HOURS * HOUR);
          const rows = await attributePath(
            this.#store,
            path,
            down,
            start,
            end,
            // Where no minutes are kept there is no need to look for them.
            end > minutesFrom ? 'minute' : 'hour',
          );
          writes.push({ pathRef, from: start, to: end, rows });
          if (writes.length >= WRITES_AT_ONCE) {
            await this.#burns.replaceBurns(writes.splice(0), started);
          }
          result.hours += (end - start) / HOUR;
          end = start;
          await breathe();
        }
      }
      result.deployments += await this.#deployments(
        pathRef,
        path,
        down,
        ranges,
        until,
      );
    }
    await this.#burns.replaceBurns(writes, started);
    for (const { seq } of fresh) {
      this.#seen.add(seq);
    }
    const last = Math.max(progress ?? 0, ...changes.map(c => c.seq));
    for (const seq of this.#seen) {
      if (seq <= last - 2 * SEQ_OVERLAP) {
        this.#seen.delete(seq);
      }
    }
    this.#model = model;
    if (last !== progress) {
      await this.#burns.saveProgress(PROGRESS, last);
    }
    if (result.hours > 1000) {
      this.#logger.info(
        `Attributed ${result.hours} hours of ${dirty.size} paths in ${
          (this.#now() - started) / 1000
        } s`,
      );
    }
    return result;
  }

  /** Burn after the deployments whose minutes were touched, or were waited for. */
  async #deployments(
    pathRef: string,
    path: AttributedPath,
    downtime: readonly MinuteRange[],
    dirty: readonly MinuteRange[],
    until: number,
  ): Promise<number> {
    const { afterDeploymentMinutes: minutes } = this.#settings;
    const kept =
      until - this.#settings.retentionMinutes.minutes + 2 * HOUR + minutes;
    const deployments = (
      await this.#changes.listChanges({
        entityRefs: [
          ...new Set(path.model.members.map(member => member.entityRef)),
          pathRef,
        ],
        from: kept * 60,
        to: until * 60,
        kinds: ['deployment'],
      })
    ).filter(change => change.startTime >= kept * 60);
    const known = new Map(
      deployments.length > 0
        ? (await this.#burns.listChangeBurns(pathRef, kept)).map(burn => [
            burn.changeId,
            burn,
          ])
        : [],
    );
    const due = deployments.filter((change: StoredChange) => {
      const at = Math.floor(change.startTime / 60);
      const burn = known.get(changeId(change));
      return (
        !burn ||
        !burn.complete ||
        burn.minutes !== minutes ||
        dirty.some(([from, to]) => from < at + minutes && to > at - minutes)
      );
    });
    const burns: StoredChangeBurn[] = [];
    for (const change of due) {
      burns.push(
        await burnOfChange(
          this.#store,
          path,
          downtime,
          { pathRef, change, minutes },
          until,
        ),
      );
    }
    await this.#burns.saveChangeBurns(burns);
    return burns.length;
  }

  async #downtime(): Promise<Map<string, MinuteRange[]>> {
    const byPath = new Map<string, MinuteRange[]>();
    for (const { pathRef, from, to } of await this.#policy.listMaintenance({
      from: 0,
      to: FAR,
    })) {
      byPath.set(pathRef, [...(byPath.get(pathRef) ?? []), [from, to]]);
    }
    byPath.forEach((ranges, ref) => byPath.set(ref, mergeRanges(ranges)));
    return byPath;
  }
}

/** Full hours that the changes touch, by path. */
function dirtyHours(
  changes: StoreChange[],
  series: Series[],
): Map<string, MinuteRange[]> {
  const pathOf = new Map(series.map(s => [s.id, s.pathRef]));
  /** Where the data of each path begins: nothing before it is worth a look. */
  const begins = new Map<string, number>();
  for (const { pathRef, covered } of series) {
    begins.set(
      pathRef,
      Math.min(begins.get(pathRef) ?? Infinity, covered[0]?.[0] ?? Infinity),
    );
  }
  const dirty = new Map<string, MinuteRange[]>();
  for (const { from, to, seriesIds } of changes) {
    if (to <= from) {
      continue;
    }
    const touched = seriesIds
      ? new Set(seriesIds.flatMap(id => pathOf.get(id) ?? []))
      : begins.keys();
    for (const pathRef of touched) {
      const first = Math.max(from, begins.get(pathRef) ?? Infinity);
      if (first < to) {
        dirty.set(
          pathRef,
          addRange(
            dirty.get(pathRef) ?? [],
            Math.floor(first / HOUR) * HOUR,
            Math.ceil(to / HOUR) * HOUR,
          ),
        );
      }
    }
  }
  return dirty;
}
