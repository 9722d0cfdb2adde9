import fc from 'fast-check';
import { decide, type ObservedRule, type OpenAlert } from './decide';

const NOW = 1_000_000;
const context = {
  now: NOW,
  maintenance: false,
  recoverAfterSeconds: 300,
  repeatSeconds: 14_400,
};
const rule = (
  key: string,
  status: ObservedRule['status'],
  severity: ObservedRule['severity'] = 'page',
): ObservedRule => ({ key, status, severity, message: `${key} burns` });
const open = (over: Partial<OpenAlert> = {}): OpenAlert => ({
  severity: 'page',
  rules: ['fast'],
  messages: ['fast burns'],
  openedTime: NOW - 1000,
  lastFiringTime: NOW - 400,
  notifiedTime: NOW - 1000,
  ...over,
});

describe('decide', () => {
  it('opens one alert for all rules that fire, as urgent as the most urgent', () => {
    expect(
      decide(
        undefined,
        [rule('creeping', 'firing', 'ticket'), rule('fast', 'firing')],
        context,
      ),
    ).toEqual({
      action: 'open',
      alert: {
        severity: 'page',
        rules: ['creeping', 'fast'],
        messages: ['creeping burns', 'fast burns'],
        openedTime: NOW,
        lastFiringTime: NOW,
        pending: 'opened',
      },
    });
  });

  it.each(['quiet', 'low-traffic', 'no-data', 'not-applicable'] as const)(
    'does not open for a rule that is %s',
    status => {
      expect(decide(undefined, [rule('fast', status)], context)).toEqual({
        action: 'none',
      });
    },
  );

  it('does not tell again while the same burn goes on, and does after the repeat time', () => {
    const still = decide(open(), [rule('fast', 'firing')], context);
    expect(still).toMatchObject({
      action: 'update',
      alert: { lastFiringTime: NOW, openedTime: NOW - 1000 },
    });
    expect(still).not.toHaveProperty('alert.pending', expect.anything());
    expect(
      decide(
        open({ notifiedTime: NOW - 14_400 }),
        [rule('fast', 'firing')],
        context,
      ),
    ).toHaveProperty('alert.pending', 'repeated');
    expect(
      decide(open({ notifiedTime: 0 }), [rule('fast', 'firing')], {
        ...context,
        repeatSeconds: 0,
      }),
    ).not.toHaveProperty('alert.pending', expect.anything());
  });

  it('tells at once when a ticket becomes a page, and not when a page becomes a ticket', () => {
    expect(
      decide(
        open({ severity: 'ticket', rules: ['creeping'] }),
        [rule('creeping', 'firing', 'ticket'), rule('fast', 'firing')],
        context,
      ),
    ).toMatchObject({
      alert: {
        severity: 'page',
        pending: 'escalated',
        rules: ['creeping', 'fast'],
      },
    });
    const milder = decide(
      open(),
      [rule('creeping', 'firing', 'ticket')],
      context,
    );
    expect(milder).toMatchObject({ alert: { severity: 'page' } });
    expect(milder).not.toHaveProperty('alert.pending', expect.anything());
  });

  it('closes after the rules were quiet for long enough, not before', () => {
    expect(decide(open(), [rule('fast', 'quiet')], context)).toEqual({
      action: 'close',
      reason: 'recovered',
    });
    expect(
      decide(
        open({ lastFiringTime: NOW - 299 }),
        [rule('fast', 'quiet')],
        context,
      ),
    ).toEqual({ action: 'none' });
  });

  it('never takes an outage of the telemetry for a recovery', () => {
    expect(
      decide(
        open({ lastFiringTime: 0 }),
        [rule('fast', 'no-data'), rule('slow', 'quiet')],
        context,
      ),
    ).toEqual({ action: 'none' });
    // A rule that never fired may be blind.
    expect(
      decide(
        open({ lastFiringTime: 0 }),
        [rule('fast', 'quiet'), rule('creeping', 'no-data', 'ticket')],
        context,
      ),
    ).toEqual({ action: 'close', reason: 'recovered' });
  });

  it('closes without a word when the path is gone, and rests during planned downtime', () => {
    expect(decide(open(), undefined, context)).toEqual({
      action: 'close',
      reason: 'withdrawn',
    });
    for (const before of [undefined, open({ lastFiringTime: 0 })]) {
      for (const status of ['firing', 'quiet'] as const) {
        expect(
          decide(before, [rule('fast', status)], {
            ...context,
            maintenance: true,
          }),
        ).toEqual({ action: 'none' });
      }
    }
  });

  it('over any history: opens before it closes, never closes while a rule fires or is blind', () => {
    const statuses = fc.constantFrom<ObservedRule['status']>(
      'firing',
      'quiet',
      'low-traffic',
      'no-data',
    );
    fc.assert(
      fc.property(
        fc.array(fc.record({ fast: statuses, slow: statuses }), {
          maxLength: 60,
        }),
        history => {
          let alert: OpenAlert | undefined;
          const wrong: string[] = [];
          history.forEach(({ fast, slow }, minute) => {
            const rules = [rule('fast', fast), rule('slow', slow)];
            const now = NOW + minute * 60;
            const before = alert;
            const decision = decide(before, rules, {
              ...context,
              now,
              repeatSeconds: 0,
            });
            const fires = fast === 'firing' || slow === 'firing';
            const isBlind = rules.some(
              r => before?.rules.includes(r.key) && r.status === 'no-data',
            );
            const check = (isRight: boolean, what: string) => {
              if (!isRight) wrong.push(`minute ${minute}: ${what}`);
            };
            switch (decision.action) {
              case 'open':
                check(!before && fires, 'opened twice or for nothing');
                alert = {
                  ...decision.alert,
                  notifiedTime: now,
                  pending: undefined,
                };
                break;
              case 'update':
                check(fires, 'updated though nothing fires');
                check(decision.alert.pending === undefined, 'told twice');
                alert = decision.alert;
                break;
              case 'close':
                check(!fires && !isBlind, 'closed while it fires or is blind');
                check(now - before!.lastFiringTime >= 300, 'closed too early');
                alert = undefined;
                break;
              default:
                check(!fires, 'did nothing though a rule fires');
            }
          });
          expect(wrong).toEqual([]);
        },
      ),
    );
  });
});
