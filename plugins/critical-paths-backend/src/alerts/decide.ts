import type {
  BurnRuleStatus,
  BurnSeverity,
} from '@rocket/plugin-critical-paths-common';

/** One burn rule of one objective of a path, as of now. */
export interface ObservedRule {
  /** Objective and rule; stays the same from one look to the next. */
  key: string;
  severity: BurnSeverity;
  status: BurnRuleStatus;
  /** What fires, in a sentence; only for rules that fire. */
  message?: string;
}

/** What people have to be told. */
export type Notice = 'opened' | 'escalated' | 'repeated' | 'recovered';

/** An alert that is open. Times are seconds since the epoch. */
export interface OpenAlert {
  severity: BurnSeverity;
  /** Keys of the rules that fired since it opened. */
  rules: string[];
  messages: string[];
  openedTime: number;
  lastFiringTime: number;
  /** When people were told last; undefined when they were not. */
  notifiedTime?: number;
  pending?: Notice;
}

/** What becomes of the alert of a path. */
export type Decision =
  | { action: 'none' }
  | { action: 'open' | 'update'; alert: OpenAlert }
  | { action: 'close'; reason: 'recovered' | 'withdrawn' };

/** When an alert is closed and when it is told again. */
export interface AlertTiming {
  /** The rules must be quiet for this long. */
  recoverAfterSeconds: number;
  /** People are told again after this long while it fires; 0: never. */
  repeatSeconds: number;
}

const urgent = (rules: { severity: BurnSeverity }[]): BurnSeverity =>
  rules.some(rule => rule.severity === 'page') ? 'page' : 'ticket';

/**
 * Decides about the one alert of a path.
 *
 * It opens when a rule fires and is told once, however many rules and
 * objectives follow; only a ticket that becomes a page is told again at once.
 * It closes when every rule that fired has been quiet for `recoverAfter`. A
 * rule that cannot be seen any more (`no-data`) is not quiet: an outage of the
 * telemetry never looks like a recovery. A rule that is gone because the
 * objective was changed counts as quiet. During planned downtime nothing is
 * opened, told or closed.
 *
 * @param observed - the path's rules; undefined when there is no such path any more
 */
export function decide(
  open: OpenAlert | undefined,
  observed: ObservedRule[] | undefined,
  context: AlertTiming & { now: number; maintenance: boolean },
): Decision {
  const { now, maintenance, recoverAfterSeconds, repeatSeconds } = context;
  if (!observed) {
    return open ? { action: 'close', reason: 'withdrawn' } : { action: 'none' };
  }
  if (maintenance) {
    return { action: 'none' };
  }
  const firing = observed.filter(rule => rule.status === 'firing');
  const messages = firing.flatMap(rule => rule.message ?? []);
  if (!open) {
    return firing.length === 0
      ? { action: 'none' }
      : {
          action: 'open',
          alert: {
            severity: urgent(firing),
            rules: firing.map(rule => rule.key),
            messages,
            openedTime: now,
            lastFiringTime: now,
            pending: 'opened',
          },
        };
  }
  if (firing.length > 0) {
    const severity = urgent([open, ...firing]);
    const isDue =
      repeatSeconds > 0 &&
      open.notifiedTime !== undefined &&
      now - open.notifiedTime >= repeatSeconds;
    let { pending } = open;
    if (severity !== open.severity && pending !== 'opened') {
      pending = 'escalated';
    } else if (isDue) {
      pending ??= 'repeated';
    }
    return {
      action: 'update',
      alert: {
        ...open,
        severity,
        rules: [...new Set([...open.rules, ...firing.map(r => r.key)])],
        messages,
        lastFiringTime: now,
        pending,
      },
    };
  }
  const isBlind = observed.some(
    rule => rule.status === 'no-data' && open.rules.includes(rule.key),
  );
  return !isBlind && now - open.lastFiringTime >= recoverAfterSeconds
    ? { action: 'close', reason: 'recovered' }
    : { action: 'none' };
}
