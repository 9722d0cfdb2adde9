/** The windows that burn rates are given over. */
export const BURN_WINDOWS = ['5m', '30m', '1h', '6h', '3d'] as const;
export type BurnWindow = (typeof BURN_WINDOWS)[number];

/** Length of each burn window in minutes. */
export const BURN_WINDOW_MINUTES: Record<BurnWindow, number> = {
  '5m': 5,
  '30m': 30,
  '1h': 60,
  '6h': 360,
  '3d': 4320,
};

/** Burn rate of one objective over one window that ends now. */
export interface BurnRate {
  window: BurnWindow;
  /** Events that count in the window, planned downtime left out. */
  valid: number;
  /** Events of `valid` that were not good. May be a fraction for aggregated or estimated figures. */
  bad: number;
  /**
   * `(bad / valid) / (1 - target / 100)`: 1 spends the budget exactly by the end
   * of the objective's window. Null without events, and for a target of 100 %,
   * which has no budget to burn.
   */
  rate: number | null;
  /** Share of the window that the source answered for, 0..1; planned downtime is not part of the window. */
  coverage: number;
}

/** What a burn rule asks for. `page` is urgent, `ticket` can wait for working hours. */
export type BurnSeverity = 'page' | 'ticket';

/**
 * `firing`: both windows are at or above the threshold. `quiet`: they are not.
 * `low-traffic`: both are, but the long window holds fewer events than
 * `minimumValid`. `no-data`: a window has no events or was not observed.
 * `not-applicable`: the objective's window is not longer than the rule's.
 */
export type BurnRuleStatus =
  | 'firing'
  | 'quiet'
  | 'low-traffic'
  | 'no-data'
  | 'not-applicable';

/** One multi-window rule held against the burn rates of one objective. */
export interface BurnRuleResult {
  /** `fast`: 2 % of the budget in 1 h; `slow`: 5 % in 6 h; `creeping`: 10 % in 3 d. */
  name: 'fast' | 'slow' | 'creeping';
  severity: BurnSeverity;
  /** Share of the budget that is spent in the long window at the threshold, 0..1. */
  budgetShare: number;
  longWindow: BurnWindow;
  shortWindow: BurnWindow;
  /** Burn rate at which the rule fires in both windows; null for a target of 100 %, where one bad event is enough. */
  threshold: number | null;
  /** The same as a share of bad events, 0..1: `threshold x (1 - target / 100)`. */
  badShareThreshold: number;
  /** Events that the long window must hold for the rule to fire. */
  minimumValid: number;
  status: BurnRuleStatus;
}

/** An error budget in events and as time. */
export interface ErrorBudget {
  /** Bad events that the target allows for the events of the window. */
  allowedEvents: number;
  badEvents: number;
  /** `allowedEvents - badEvents`; negative when overspent. */
  remainingEvents: number;
  /** Minutes of total failure at even traffic that the target allows in the objective's window. */
  allowedMinutes: number;
  spentMinutes: number;
  remainingMinutes: number;
  /** Share that is left: 1 untouched, 0 spent, below 0 overspent. */
  remaining: number;
}

/** Burn of the tightest objective of a path: the row of the board. */
export interface BudgetSummary {
  /** Index into the row's `objectives`. */
  objective: number;
  /** Name of the objective for people. */
  label: string;
  /** Null without events in the objective's window. */
  budget: ErrorBudget | null;
  /** Burn rate by window; null without events or for a target of 100 %. */
  burn: Record<BurnWindow, number | null>;
  /** The most urgent rule that fires over all objectives of the path. */
  alert: BurnSeverity | null;
}

/** Burn of one objective in full: the path's page, alerting and the gate. */
export interface ObjectiveBudget {
  /** Index into `objectives`. */
  objective: number;
  label: string;
  /** Null without events in the objective's window. */
  budget: ErrorBudget | null;
  burn: BurnRate[];
  rules: BurnRuleResult[];
  alert: BurnSeverity | null;
  /** Set while a budget reset is within the objective's window; events before it do not count. */
  resetAt?: string;
  resetReason?: string;
}
