import fc from 'fast-check';
import type { IncidentDetails, StoredChange } from './ChangeStore';
import { secondsToRecover, summarizeIncidents, toMarker } from './incidents';

const T = 1_790_000_000;
const incident = (
  startTime: number,
  endTime?: number,
  details: Partial<IncidentDetails> = {},
): StoredChange => ({
  kind: 'incident',
  source: 'newrelic',
  externalId: 'i',
  entityRef: 'component:default/a',
  startTime,
  endTime,
  title: 'Errors',
  incident: { priority: 'critical', muted: false, ...details },
});

describe('time to recover', () => {
  it('is from degradation to recovery, else from open to close', () => {
    expect(secondsToRecover(incident(T, T + 600))).toBe(600);
    expect(
      secondsToRecover(
        incident(T, T + 600, { degradedTime: T - 180, recoveredTime: T + 420 }),
      ),
    ).toBe(600);
    expect(
      secondsToRecover(incident(T, T + 600, { degradedTime: T - 180 })),
    ).toBe(780);
  });

  it('leaves out what is open and what did not end by recovery', () => {
    expect(secondsToRecover(incident(T))).toBeUndefined();
    expect(
      secondsToRecover(incident(T, T + 9, { notCounted: 'it expired' })),
    ).toBeUndefined();
  });

  it('is averaged by hand: 10, 20 and 60 minutes make 30', () => {
    const window = { from: T, to: T + 86_400 };
    expect(
      summarizeIncidents(
        [
          incident(T, T + 600),
          incident(T, T + 1200),
          incident(T, T + 3600),
          incident(T, T + 5, { notCounted: 'the condition was deleted' }),
          incident(T + 10),
          incident(T - 900, T - 1), // closed before the window
          { ...incident(T, T + 5), kind: 'chaos', incident: undefined },
        ],
        window,
      ),
    ).toEqual({ open: 1, closed: 3, timeToRecoverMinutes: 30 });
    expect(summarizeIncidents([], window)).toEqual({
      open: 0,
      closed: 0,
      timeToRecoverMinutes: null,
    });
  });

  it('is within the shortest and the longest, in any order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 100_000 }), { minLength: 1 }),
        lengths => {
          const of = (list: number[]) =>
            summarizeIncidents(
              list.map(length => incident(T, T + length)),
              { from: T, to: T + 200_000 },
            ).timeToRecoverMinutes!;
          const mean = of(lengths) * 60;
          expect(mean).toBeGreaterThanOrEqual(Math.min(...lengths) - 1e-6);
          expect(mean).toBeLessThanOrEqual(Math.max(...lengths) + 1e-6);
          expect(of([...lengths].reverse()) * 60).toBeCloseTo(mean, 6);
        },
      ),
    );
  });
});

it('marks an incident with its priority and why it does not count', () => {
  expect(
    toMarker(incident(T, T + 60, { muted: true, notCounted: 'it expired' })),
  ).toMatchObject({
    id: 'newrelic:i',
    kind: 'incident',
    at: '2026-09-21T14:13:20.000Z',
    until: '2026-09-21T14:14:20.000Z',
    detail: 'critical, muted, not in the time to recover: it expired',
  });
});
