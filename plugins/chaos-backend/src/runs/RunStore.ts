import type { Run, RunEvent, RunState } from '@rocket/plugin-chaos-common';

/** A run whose executor is known by a name that only it has. */
export interface HeldRun {
  run: Run;
  holder: string;
}

export interface RunFilter {
  team?: string;
  criticalPath?: string;
  environment?: string;
  experimentId?: string;
  states?: RunState[];
  /** Those that were started in this window; milliseconds since the epoch. */
  from?: number;
  to?: number;
  limit?: number;
}

/** Runs, and which critical paths are taken by one. */
export interface RunStore {
  /**
   * Stores a run that begins, with its locks: the paths that it can reach.
   * @returns ids of the runs that have one of them; nothing is stored then
   */
  begin(
    run: Run,
    paths: string[],
    lease: { holder: string; until: Date },
    event: RunEvent,
  ): Promise<string[]>;
  /** Stores what came from elsewhere and is over. False when it is there already. */
  add(run: Run): Promise<boolean>;
  get(id: string): Promise<Run | undefined>;
  /** The newest first. */
  list(filter: RunFilter): Promise<Run[]>;
  /** The oldest first. */
  events(id: string): Promise<RunEvent[]>;
  /** A run that is not over and that nobody holds any more. */
  claim(holder: string, now: Date, until: Date): Promise<Run | undefined>;
  /** Keeps it. @returns what was asked for meanwhile; undefined when it is another's now */
  renew(
    id: string,
    holder: string,
    until: Date,
  ): Promise<{ abort?: Run['abort'] } | undefined>;
  /** Lets go of it, for another executor. */
  release(id: string, holder: string): Promise<void>;
  /** Stores how it stands; its locks go when it is over. False when it is another's now. */
  save(run: Run, holder: string, events: RunEvent[]): Promise<boolean>;
  /** Notes that it shall end. False when it is over, or was ended already. */
  requestAbort(id: string, abort: NonNullable<Run['abort']>): Promise<boolean>;
}
