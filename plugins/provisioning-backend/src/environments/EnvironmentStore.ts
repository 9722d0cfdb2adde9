import type { EnvironmentState } from '@rocket/plugin-provisioning-common';

/** An environment that was made on demand. Times are ISO 8601. */
export interface EnvironmentRecord {
  name: string;
  /** Entity ref of the component whose branch runs in it. */
  subject: string;
  owner: string;
  branch: string;
  commit?: string;
  /** Name of its service record. */
  service: string;
  runtime: string;
  state: EnvironmentState;
  message?: string;
  url?: string;
  requestedBy: string;
  createdAt: string;
  changedAt: string;
  expiresAt: string;
  extensionsLeft: number;
  /** Whether its owner was told that it ends soon. */
  noticed: boolean;
  /** Attempts to delete it that did not succeed. */
  removals: number;
  /** When the next attempt to delete it is due. */
  retryAt?: string;
}

export type EnvironmentPatch = Partial<
  Pick<
    EnvironmentRecord,
    | 'state'
    | 'message'
    | 'url'
    | 'commit'
    | 'expiresAt'
    | 'extensionsLeft'
    | 'noticed'
    | 'removals'
    | 'retryAt'
  >
>;

export interface EnvironmentStore {
  /**
   * Takes the name and a place in the owner's quota, both at once; an
   * environment of that name that is deleted gives way.
   */
  insert(
    record: EnvironmentRecord,
    quota: number,
  ): Promise<'inserted' | 'taken' | 'full'>;
  get(name: string): Promise<EnvironmentRecord | undefined>;
  /** By name; without those that are deleted, unless they are asked for. */
  list(filter?: {
    owner?: string;
    states?: EnvironmentState[];
  }): Promise<EnvironmentRecord[]>;
  /** `undefined` clears a field. False when it is in none of the states `from` (and, if given, does not end at `expiresAt`). */
  change(
    name: string,
    patch: EnvironmentPatch,
    from: readonly EnvironmentState[],
    expiresAt?: string,
  ): Promise<boolean>;
  /** Forgets one that nothing was made for. */
  drop(name: string): Promise<void>;
}
