import type { JsonObject } from '@backstage/types';
import type { Experiment } from './experiment';
import type { FaultKind, FaultType } from './faults';
import type { Refusal } from './guardRails';
import type { Score } from './score';
import type { Evaluation, Verdict } from './verdict';

/** An experiment that can be run again and again. */
export interface ExperimentRecord {
  id: string;
  /** Entity ref of the team that owns it. */
  team: string;
  /** Id of the engine that injects its fault. */
  engine: string;
  experiment: Experiment;
  createdBy: string;
  /** ISO 8601. */
  createdAt: string;
  updatedAt: string;
}

/**
 * - `injecting`: the engine was asked; the fault may be in place
 * - `active`: the fault is in place
 * - `removing`: the fault is being taken away
 * - `observing`: the fault is gone; the steady state is waited for
 * - `ended`: there is a verdict
 */
export const RUN_STATES = [
  'injecting',
  'active',
  'removing',
  'observing',
  'ended',
] as const;
export type RunState = (typeof RUN_STATES)[number];

/** One thing that the fault reaches: a process, a pod. */
export interface FaultTarget {
  name: string;
  /** What an engine says of it. */
  state?: 'planned' | 'injected' | 'failed' | 'recovered';
  message?: string;
}

/** Something that happened in a run; append-only. */
export interface RunEvent {
  /** ISO 8601. */
  at: string;
  /** Who: an entity ref, `rocket`, or the engine's id. */
  by: string;
  message: string;
}

/** One run of an experiment, or a result that was read from elsewhere. */
export interface Run {
  id: string;
  /** Absent for results from elsewhere. */
  experimentId?: string;
  /** As it was when the run began. */
  experiment: Experiment;
  kind: FaultKind;
  team: string;
  engine: string;
  state: RunState;
  /** Set with `ended`. */
  verdict?: Exclude<Verdict, 'not-run'>;
  evaluation?: Evaluation;
  targets: FaultTarget[];
  /** ISO 8601 each. */
  startedAt: string;
  injectedAt?: string;
  faultEndedAt?: string;
  endedAt?: string;
  startedBy: string;
  /** Turn of the rotation that it was, when it was one. */
  slot?: string;
  abort?: { by: string; at: string; reason: string };
  /** The fault may still be in place: nothing could take it away so far. */
  faultLeft?: boolean;
  /** What the engine recorded, as it came; no secrets. */
  engineRecord?: JsonObject;
}

/** Answer of `POST /experiments/:id/dry-run`: what a start would do, and what stands in its way. */
export interface DryRun {
  targets: FaultTarget[];
  /** In the engine's own form: the object that it would create. */
  manifest?: JsonObject;
  /** Of all instances that run. */
  running: number;
  /** Critical paths that it can reach: those that the component serves. */
  reach: string[];
  refusals: Refusal[];
}

/** An engine and what it can do in an environment. */
export interface EngineInfo {
  id: string;
  title: string;
  environments: { name: string; faults: FaultType[]; message?: string }[];
}

/** One team's week on the scoreboard. */
export interface TeamWeek {
  /** ISO week. */
  week: string;
  passed: number;
  failed: number;
  aborted: number;
  inconclusive: number;
  /** Turns of the week that have no run. */
  notRun: number;
  /** Findings that were opened in the week. */
  newFindings: number;
}

/** One team on the scoreboard. */
export interface TeamRow {
  team: string;
  score: Omit<Score, 'cells'>;
  /** Cells with a result, by kind of fault, of all. */
  coverage: Record<FaultKind, { covered: number; required: number }>;
  /** The oldest week first. */
  weeks: TeamWeek[];
  openFindings: number;
  /** Median of findings that were closed in the weeks shown, in days; null without any. */
  medianDaysToFix: number | null;
}

/** Answer of `GET /scoreboard`. */
export interface Scoreboard {
  /** IANA time zone that weeks are drawn by. */
  timeZone: string;
  formula: string;
  /** ISO weeks shown, the oldest first. */
  weeks: string[];
  teams: TeamRow[];
  /** ISO 8601. */
  at: string;
}

/** A weakness that a run showed, until it is mended. */
export interface Finding {
  id: string;
  runId: string;
  team: string;
  title: string;
  /** Entity ref of who sees to it. */
  owner: string;
  /** ISO date. */
  dueOn: string;
  /** http or https; the issue where it is worked on. */
  url?: string;
  openedAt: string;
  closedAt?: string;
}
