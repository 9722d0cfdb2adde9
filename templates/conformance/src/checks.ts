import type { Client } from './client';

/** What a check may use. Everything but `client` depends on what the run was told about the service. */
export type Context = {
  client: Client;
  /** The other service, when both are under test. */
  other?: Client;
  settings: Settings;
};

/** From outside, by environment; see README.md. */
export type Settings = {
  /** Seed of the random histories; printed. */
  seed: number;
  /** How many random histories are walked. */
  histories: number;
  /** Whether a history that fails is made as short as possible: readable, but it takes minutes. */
  shrink: boolean;
  /** A valid token without any scope. */
  tokenWithoutScope?: string;
  /** A valid token of another client, with all scopes. */
  tokenOfAnother?: string;
  /** Whether the suite itself carries events between the two services; otherwise a broker has to. */
  relay: boolean;
  /** Process of the service; it is told to stop by the last check. */
  processId?: number;
  /** How long, in ms, things that happen in the background may take. */
  patience: number;
  /** Outbox and audit lag, in seconds, that are still in order. */
  maxOutboxAge: number;
};

/** One promise of the contract and how it is tried. `run` throws when the service breaks it. */
export type Check = {
  group: string;
  name: string;
  /** Says why it cannot be tried in this run. */
  skip?: (context: Context) => string | undefined;
  run: (context: Context) => Promise<void>;
  /** In ms; 60 s by default. */
  timeout?: number;
};

/** Collects checks under one heading. */
export function group(
  heading: string,
  checks: Record<string, Check['run'] | Omit<Check, 'group' | 'name'>>,
): Check[] {
  return Object.entries(checks).map(([name, check]) => ({
    group: heading,
    name,
    ...(typeof check === 'function' ? { run: check } : check),
  }));
}
