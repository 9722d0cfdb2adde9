import {
  BURN_WINDOWS,
  BURN_WINDOW_MINUTES,
  type BurnRate,
  type BurnRuleResult,
  type BurnSeverity,
  type BurnWindow,
  type ErrorBudget,
} from './api/budget';

/** Share of good requests, 0..1; undefined without requests. */
export function compliance(good: number, valid: number): number | undefined {
  if (!(valid > 0)) {
    return undefined;
  }
  return Math.min(1, Math.max(0, good / valid));
}

/**
 * Number of bad requests that a target allows:
 * `valid x (100 - target) / 100`. The target is taken to six decimals so that
 * 99.9 % of 1,000,000 gives exactly 1,000.
 */
export function errorBudget(valid: number, targetPercent: number): number {
  return (valid * Math.round((100 - targetPercent) * 1e6)) / 1e8;
}

/**
 * Share of the error budget that is left: `(allowed - bad) / allowed`. 1 is
 * untouched, 0 spent, below 0 overspent; undefined without requests. A target
 * of 100 % allows nothing: 1 without a bad request, else 0.
 */
export function remainingBudget(
  good: number,
  valid: number,
  targetPercent: number,
): number | undefined {
  if (!(valid > 0)) {
    return undefined;
  }
  const bad = Math.max(0, valid - good);
  const allowed = errorBudget(valid, targetPercent);
  if (allowed <= 0) {
    return bad === 0 ? 1 : 0;
  }
  return (allowed - bad) / allowed;
}

/**
 * The error budget in events and as time. The time is that of a total failure
 * at even traffic: a target of 99.9 % over 28 days allows 40.32 minutes, and
 * `spentMinutes = bad / valid x windowMinutes`. Undefined without requests.
 *
 * @param windowMinutes - length of the objective's window less planned downtime
 */
export function budgetOf(
  good: number,
  valid: number,
  targetPercent: number,
  windowMinutes: number,
): ErrorBudget | undefined {
  const remaining = remainingBudget(good, valid, targetPercent);
  if (remaining === undefined) {
    return undefined;
  }
  const allowedEvents = errorBudget(valid, targetPercent);
  const badEvents = Math.max(0, valid - good);
  const allowedMinutes = errorBudget(windowMinutes, targetPercent);
  const spentMinutes = (badEvents / valid) * windowMinutes;
  return {
    allowedEvents,
    badEvents,
    remainingEvents: allowedEvents - badEvents,
    allowedMinutes,
    spentMinutes,
    remainingMinutes: allowedMinutes - spentMinutes,
    remaining,
  };
}

/**
 * Burn rate: `(bad / valid) / (1 - target / 100)`. 1 spends the budget exactly
 * by the end of the objective's window. Null without events and for a target
 * of 100 %, which has no budget.
 */
export function burnRate(
  bad: number,
  valid: number,
  targetPercent: number,
): number | null {
  const allowed = errorBudget(valid, targetPercent);
  return valid > 0 && allowed > 0 ? Math.max(0, bad) / allowed : null;
}

/** A rule that looks at a long and a short window at once. */
export interface BurnRule {
  name: BurnRuleResult['name'];
  severity: BurnSeverity;
  /** Share of the budget spent in the long window, 0..1. */
  budgetShare: number;
  longWindow: BurnWindow;
  shortWindow: BurnWindow;
}

/**
 * The multi-window multi-burn-rate rules of the SRE Workbook, chapter 5. The
 * long window says that it matters, the short one (1/12) that it still goes on.
 */
export const BURN_RULES: readonly BurnRule[] = [
  {
    name: 'fast',
    severity: 'page',
    budgetShare: 0.02,
    longWindow: '1h',
    shortWindow: '5m',
  },
  {
    name: 'slow',
    severity: 'page',
    budgetShare: 0.05,
    longWindow: '6h',
    shortWindow: '30m',
  },
  {
    name: 'creeping',
    severity: 'ticket',
    budgetShare: 0.1,
    longWindow: '3d',
    shortWindow: '6h',
  },
];

/** Bad events that it takes, at the least, for a rule to fire: one failure of a quiet service wakes nobody. */
export const MINIMUM_BAD_EVENTS = 5;

/**
 * No rule asks for a lower burn rate than this. Scaled to a window of 7 days,
 * 10 % in 3 days would be 0.23: a rate at which three quarters of the budget
 * are left over. At 28 days the figure is 0.93 and stays as it is.
 */
export const LOWEST_BURN_THRESHOLD = 0.9;

/**
 * Burn rate that spends `budgetShare` of the budget within `windowMinutes`:
 * `budgetShare x objective's window / windowMinutes`. 2 % in 1 h of 28 days is
 * 13.44; at a target of 99.9 % that is an error rate of 1.344 %.
 */
export function scaledBurnRate(
  budgetShare: number,
  windowMinutes: number,
  windowDays: number,
): number {
  return (
    (Math.round(budgetShare * 1e6) * windowDays * 1440) / windowMinutes / 1e6
  );
}

/**
 * Burn rate at which a rule fires: {@link scaledBurnRate}, not below
 * {@link LOWEST_BURN_THRESHOLD} and not above the rate of a total failure,
 * `1 / (1 - target / 100)`, which every rule must notice. Null for a target of
 * 100 %.
 */
export function burnThreshold(
  rule: BurnRule,
  targetPercent: number,
  windowDays: number,
): number | null {
  const allowedShare = errorBudget(1, targetPercent);
  if (!(allowedShare > 0)) {
    return null;
  }
  const scaled = scaledBurnRate(
    rule.budgetShare,
    BURN_WINDOW_MINUTES[rule.longWindow],
    windowDays,
  );
  return Math.min(Math.max(scaled, LOWEST_BURN_THRESHOLD), 1 / allowedShare);
}

/** Events of one burn window. */
export interface BurnCounts {
  valid: number;
  bad: number;
  /** Minutes of the window that the source answered for. */
  observedMinutes: number;
  /** Minutes of the window that are planned downtime. */
  maintenanceMinutes: number;
}

/** Burn rates of one objective and what the rules say about them. */
export interface BurnResult {
  burn: BurnRate[];
  rules: BurnRuleResult[];
  /** Severity of the most urgent rule that fires. */
  alert: BurnSeverity | null;
}

/**
 * Holds the burn rates of one objective against {@link BURN_RULES}.
 *
 * A rule fires while both of its windows are at or above its threshold and the
 * long window holds at least `ceil(5 / badShareThreshold)` events, so that it
 * takes at least five bad events. With a target of 100 % it fires while both
 * windows hold a bad event. A rule whose long window is not shorter than the
 * objective's does not apply.
 */
export function evaluateBurn(
  objective: { target: number; windowDays: number },
  counts: Record<BurnWindow, BurnCounts>,
): BurnResult {
  const { target, windowDays } = objective;
  const burn = BURN_WINDOWS.map<BurnRate>(window => {
    const { valid, bad, observedMinutes, maintenanceMinutes } = counts[window];
    const length = BURN_WINDOW_MINUTES[window] - maintenanceMinutes;
    return {
      window,
      valid,
      bad: Math.max(0, bad),
      rate: burnRate(bad, valid, target),
      coverage:
        length > 0 ? Math.min(1, Math.max(0, observedMinutes / length)) : 0,
    };
  });
  const at = (window: BurnWindow) => burn[BURN_WINDOWS.indexOf(window)];
  const rules = BURN_RULES.map<BurnRuleResult>(rule => {
    const threshold = burnThreshold(rule, target, windowDays);
    const badShareThreshold = (threshold ?? 0) * errorBudget(1, target);
    const minimumValid =
      badShareThreshold > 0
        ? Math.ceil(MINIMUM_BAD_EVENTS / badShareThreshold - 1e-9)
        : 1;
    const windows = [at(rule.longWindow), at(rule.shortWindow)];
    const over = ({ bad, rate }: BurnRate) =>
      threshold === null ? bad > 0 : rate !== null && rate >= threshold - 1e-9;
    let status: BurnRuleResult['status'] = 'quiet';
    if (BURN_WINDOW_MINUTES[rule.longWindow] >= windowDays * 1440) {
      status = 'not-applicable';
    } else if (windows.some(w => !(w.valid > 0))) {
      status = 'no-data';
    } else if (windows.every(over)) {
      status = windows[0].valid >= minimumValid ? 'firing' : 'low-traffic';
    }
    return { ...rule, threshold, badShareThreshold, minimumValid, status };
  });
  const firing = rules.filter(rule => rule.status === 'firing');
  return {
    burn,
    rules,
    alert: mostUrgent(firing.map(rule => rule.severity)),
  };
}

/** `page` before `ticket` before nothing. */
export function mostUrgent(
  severities: readonly (BurnSeverity | null)[],
): BurnSeverity | null {
  if (severities.includes('page')) {
    return 'page';
  }
  return severities.includes('ticket') ? 'ticket' : null;
}
