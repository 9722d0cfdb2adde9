import { join } from 'node:path';
import fc from 'fast-check';
import { parseScenario, loadScenario, type TrafficScenario } from './scenario';
import { TrafficModel, type TrafficRequest } from './TrafficModel';

const DAY = 86_400_000;
const MINUTE = 60_000;
/** Wednesday 2026-03-11, in days since the epoch; Berlin is one hour ahead of UTC. */
const ANCHOR = Date.UTC(2026, 2, 11) / DAY;
const BERLIN = -60;

/** Minute number of a Berlin wall-clock time on a day of March 2026. */
const at = (day: number, hour: number, minute = 0) =>
  Date.UTC(2026, 2, day, hour, minute) / MINUTE + BERLIN;

function requestsBetween(model: TrafficModel, from: number, to: number) {
  const requests: TrafficRequest[] = [];
  for (let minute = from; minute < to; minute += 1) {
    requests.push(...model.requestsOf(minute));
  }
  return requests;
}

const of = (requests: TrafficRequest[], path: string, step: string) =>
  requests.filter(r => r.stream.path === path && r.stream.step === step);
const errorRate = (requests: TrafficRequest[]) =>
  requests.filter(r => r.error).length / requests.length;
function percentile(requests: TrafficRequest[], p: number) {
  const sorted = requests.map(r => r.duration).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length * p)];
}

describe('the traffic of the demo organisation', () => {
  let scenario: TrafficScenario;
  let model: TrafficModel;

  beforeAll(async () => {
    scenario = await loadScenario(
      join(__dirname, '..', '..', '..', '..', 'examples', 'traffic.yaml'),
    );
    model = new TrafficModel(scenario, ANCHOR);
  });

  it('is the same for the same minute, whoever asks and in whatever order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: at(1, 0), max: at(28, 0) }), {
          minLength: 1,
          maxLength: 10,
        }),
        minutes => {
          const fresh = new TrafficModel(scenario, ANCHOR);
          const forwards = minutes.map(m => model.requestsOf(m));
          const backwards = [...minutes]
            .reverse()
            .map(m => fresh.requestsOf(m));
          expect(backwards.reverse()).toEqual(forwards);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('is another one with another seed', () => {
    const other = new TrafficModel({ ...scenario, seed: 'other' }, ANCHOR);
    expect(other.requestsOf(at(11, 12))).not.toEqual(
      model.requestsOf(at(11, 12)),
    );
  });

  it('keeps each request in its minute, in order, with sound fields', () => {
    fc.assert(
      fc.property(fc.integer({ min: at(1, 0), max: at(28, 0) }), minute => {
        let last = minute * MINUTE;
        for (const r of model.requestsOf(minute)) {
          expect(r.timestamp).toBeGreaterThanOrEqual(last);
          expect(r.timestamp).toBeLessThan((minute + 1) * MINUTE);
          last = r.timestamp;
          expect(r.duration).toBeGreaterThan(0);
          expect(r.status).toMatch(/^[245]\d\d$/);
          // A client's mistake is no error; a server's fault always is one.
          expect(r.error).toBe(r.status.startsWith('5'));
        }
      }),
      { numRuns: 50 },
    );
  });

  it('stands for the expected throughput: weights neither lose nor add requests', () => {
    fc.assert(
      fc.property(fc.integer({ min: at(1, 0), max: at(26, 0) }), from => {
        const minutes = 1440;
        const requests = requestsBetween(model, from, from + minutes);
        for (const stream of model.streams) {
          const stored = requests.filter(r => r.stream === stream).length;
          let expected = 0;
          for (let m = from; m < from + minutes; m += 1) {
            expected += model.expectedRate(stream, m);
          }
          // Rounding by chance would be off by 19 stored events (one sigma).
          const tolerance = Math.max(60 * stream.weight, expected * 0.01);
          expect(
            Math.abs(stored * stream.weight - expected),
          ).toBeLessThanOrEqual(tolerance);
        }
      }),
      { numRuns: 8 },
    );
  });

  it('follows the hours of the day in the time zone, and the weekend', () => {
    const entry = model.streams.find(s => s.step === 'receive')!;
    const shape = scenario.shapes.shopping;
    const { requestsPerMinute, weekendFactor } =
      scenario.paths['card-authorization'];
    for (let hour = 0; hour < 24; hour += 1) {
      let sum = 0;
      for (let minute = 0; minute < 60; minute += 1) {
        sum += model.expectedRate(entry, at(11, hour, minute));
      }
      const middle = (shape[hour] + shape[(hour + 1) % 24]) / 2;
      const ratio = sum / 60 / (requestsPerMinute * middle);
      // A day may be some percent busier or quieter than the shape says.
      expect(ratio).toBeGreaterThan(0.85);
      expect(ratio).toBeLessThan(1.15);
    }
    const mean = (day: number) => {
      let sum = 0;
      for (let m = at(day, 0); m < at(day + 1, 0); m += 1) {
        sum += model.expectedRate(entry, m);
      }
      return sum / 1440;
    };
    // Saturday 14 and Sunday 15 against Tuesday 10 and Wednesday 11.
    const weekend = (mean(14) + mean(15)) / (mean(10) + mean(11));
    expect(weekend).toBeGreaterThan(weekendFactor * 0.88);
    expect(weekend).toBeLessThan(weekendFactor * 1.12);
  });

  it('has its volume within what the store is meant for', () => {
    const perDay = requestsBetween(model, at(9, 0), at(10, 0)).length;
    expect(perDay * 30).toBeGreaterThan(1_500_000);
    expect(perDay * 30).toBeLessThan(3_500_000);
  });

  describe('its incident', () => {
    // Two days before the anchor, 15:42, 38 minutes.
    const start = at(9, 15, 42);
    const end = start + 38;

    it('shows only in its window, and upstream as far as requests reach it', () => {
      const during = requestsBetween(model, start, end);
      const before = requestsBetween(model, start - 120, start);
      const after = requestsBetween(model, end, end + 120);
      for (const path of ['card-authorization', 'merchant-payment']) {
        const entryStep = scenario.paths[path].steps[0].step;
        for (const step of [entryStep, 'authorize']) {
          expect(errorRate(of(during, path, step))).toBeGreaterThan(0.07);
          expect(errorRate(of(during, path, step))).toBeLessThan(0.18);
          expect(errorRate(of(before, path, step))).toBeLessThan(0.01);
          expect(errorRate(of(after, path, step))).toBeLessThan(0.01);
        }
      }
      // Neither what it calls nor other paths are touched.
      for (const [path, step] of [
        ['card-authorization', 'score'],
        ['transaction-posting', 'post'],
      ]) {
        expect(errorRate(of(during, path, step))).toBeLessThan(0.01);
      }
    });

    it('begins and ends on the minute', () => {
      const errorsOf = (m: number) =>
        of(model.requestsOf(m), 'card-authorization', 'authorize').filter(
          r => r.error,
        ).length;
      const sum = (from: number, to: number) => {
        let errors = 0;
        for (let m = from; m < to; m += 1) errors += errorsOf(m);
        return errors;
      };
      expect(sum(start - 38, start)).toBe(0);
      expect(sum(start, end)).toBeGreaterThan(10);
      expect(sum(end, end + 38)).toBe(0);
    });

    it('is opened and closed as an incident of New Relic', () => {
      const markers = model
        .markersBetween((start - 600) * MINUTE, (end + 600) * MINUTE)
        .filter(m => m.eventType === 'NrAiIncident');
      expect(markers.map(m => [m.attributes.event, m.timestamp])).toEqual([
        ['open', (start + 3) * MINUTE],
        ['close', (end + 3) * MINUTE],
      ]);
      expect(markers[1]).toMatchObject({
        application: 'authorization-service',
        attributes: {
          incidentId: markers[0].attributes.incidentId,
          degradationTime: start * MINUTE,
          recoveryTime: end * MINUTE,
          closeTime: (end + 3) * MINUTE,
          closeCause: 'EVALUATOR',
          priority: 'critical',
        },
      });
    });

    it('comes again after its period, never in between', () => {
      const open = model
        .markersBetween(at(1, 0) * MINUTE, at(30, 0) * MINUTE)
        .filter(
          m =>
            m.attributes.event === 'open' &&
            m.application === 'authorization-service',
        )
        .map(m => (m.timestamp / MINUTE - 3 - start) / 1440);
      expect(open).toEqual([0, 14]);
    });
  });

  it('slows the callers of a slow dependency, but not its siblings', () => {
    // fx-rates, five days before the anchor, 12:30, 255 minutes.
    const start = at(6, 12, 30);
    const slow = requestsBetween(model, start, start + 255);
    const usual = requestsBetween(model, start + 255, start + 510);
    const p95 = (requests: TrafficRequest[], step: string) =>
      percentile(of(requests, 'instant-transfer', step), 0.95);
    expect(p95(slow, 'convert') / p95(usual, 'convert')).toBeGreaterThan(5);
    expect(p95(slow, 'convert') / p95(usual, 'convert')).toBeLessThan(7.2);
    expect(p95(slow, 'accept') / p95(usual, 'accept')).toBeGreaterThan(1.8);
    expect(p95(slow, 'post') / p95(usual, 'post')).toBeLessThan(1.2);
  });

  it('counts the time of the steps that an entry step waits for', () => {
    const requests = requestsBetween(model, at(11, 9), at(11, 13));
    const median = (step: string) =>
      percentile(of(requests, 'card-authorization', step), 0.5);
    expect(median('receive')).toBeGreaterThan(median('authorize'));
    expect(median('authorize')).toBeGreaterThan(
      median('score') + median('hold'),
    );
    // Nobody waits for the notification.
    const post = of(requests, 'transaction-posting', 'post');
    const notify = of(requests, 'transaction-posting', 'notify');
    expect(percentile(post, 0.5)).toBeLessThan(percentile(notify, 0.5));
  });

  it('deploys at the same hour of each week, across the change to summer time', () => {
    // Clocks go forward on Sunday 2026-03-29.
    const tuesdays = model
      .markersBetween(Date.UTC(2026, 2, 23), Date.UTC(2026, 3, 6))
      .filter(
        m => m.eventType === 'Deployment' && m.application === 'ledger-service',
      );
    expect(tuesdays.map(m => new Date(m.timestamp).toISOString())).toEqual([
      '2026-03-24T07:30:00.000Z',
      '2026-03-31T06:30:00.000Z',
    ]);
    expect(tuesdays.map(m => m.attributes.version)).toEqual([
      '2026.13.2',
      '2026.14.2',
    ]);
  });

  it('knows no traffic of a path that is not built', () => {
    expect(model.streams.map(s => s.path)).not.toContain('wallet-top-up');
  });
});

describe('a scenario file', () => {
  const valid = () => ({
    seed: 's',
    timeZone: 'UTC',
    applications: { app: { language: 'go', weight: 1, team: 'team' } },
    shapes: { flat: new Array(24).fill(1) },
    paths: {
      path: {
        requestsPerMinute: 10,
        shape: 'flat',
        steps: [
          {
            step: 'first',
            application: 'app',
            transaction: 'GET /',
            latency: { medianMs: 10, p99Ms: 50 },
          },
        ],
      },
    },
  });

  it('needs no more than the minimum', () => {
    expect(parseScenario(valid()).historyDays).toBe(30);
  });

  it.each<[string, (s: any) => void, RegExp]>([
    ['time zone', s => (s.timeZone = 'Mars/Base'), /timeZone: is not a known/],
    ['shape length', s => s.shapes.flat.pop(), /shapes\.flat/],
    ['shape name', s => (s.paths.path.shape = 'x'), /"x" is not in shapes/],
    [
      'application',
      s => (s.paths.path.steps[0].application = 'x'),
      /paths\.path\.steps\.0\.application: "x" is not in applications/,
    ],
    [
      'latency',
      s => (s.paths.path.steps[0].latency.p99Ms = 5),
      /p99Ms must be greater/,
    ],
    ['misspelt field', s => (s.paths.path.stepz = []), /stepz/],
    [
      'share above the caller',
      s =>
        s.paths.path.steps.push(
          { ...s.paths.path.steps[0], step: 'b', share: 0.2 },
          { ...s.paths.path.steps[0], step: 'c', share: 0.5, calledBy: 'b' },
        ),
      /steps\.2\.share: 0.5 is more than that of its caller "b"/,
    ],
    [
      'event time',
      s =>
        (s.events = {
          deployments: [
            { application: 'app', when: { weekday: 'someday', at: '10:00' } },
          ],
        }),
      /events\.deployments\.0\.when/,
    ],
    [
      'service level of no path',
      s =>
        (s.serviceLevels = [
          {
            name: 'a',
            application: 'app',
            path: 'x',
            sli: 'availability',
            target: 99,
            windowDays: 7,
          },
        ]),
      /serviceLevels\.0\.path: "x" is not in paths/,
    ],
    [
      'threshold of an availability',
      s =>
        (s.serviceLevels = [
          {
            name: 'a',
            application: 'app',
            sli: 'availability',
            thresholdMs: 9,
            target: 99,
            windowDays: 7,
          },
        ]),
      /thresholdMs belongs to latency/,
    ],
    [
      'weight',
      s => (s.applications.app.weight = 0),
      /applications\.app\.weight/,
    ],
  ])('is refused with the wrong field named: %s', (_, spoil, message) => {
    const scenario = valid();
    spoil(scenario);
    expect(() => parseScenario(scenario, 'demo.yaml')).toThrow(message);
    expect(() => parseScenario(scenario, 'demo.yaml')).toThrow(/demo\.yaml/);
  });

  it('is refused when it is not there or no YAML', async () => {
    await expect(loadScenario('/does/not/exist.yaml')).rejects.toThrow(
      /cannot be read/,
    );
  });
});
