import {
  AttributionModel,
  type AttributionMember,
  type MemberEvents,
} from '../attribution';

/** A generator of numbers in [0, 1) that gives the same ones for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) % 2 ** 32;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Six hours of a path of 12 applications, of which one has an outage. Requests
 * are walked one by one: the entry calls some applications, those call others,
 * each call may be left out, be repeated after a failure, or have its failure
 * swallowed. Every application fails now and then by itself, and its failures
 * travel up to whoever called it.
 */
export function outageRun(seed: number): {
  model: AttributionModel;
  minutes: (MemberEvents | undefined)[][];
  culprit: string;
} {
  const random = seeded(seed);
  const between = (low: number, high: number) => low + random() * (high - low);
  const count = 12;
  const nodes = Array.from({ length: count }, (_, index) => ({
    name: `app-${index}`,
    /** Whoever calls it; the entry is called by clients. */
    caller: index === 0 ? -1 : Math.floor(random() * Math.min(index, 6)),
    /** Share of the caller's requests that need it. */
    used: between(0.6, 1),
    noise: between(0.0002, 0.003),
    /** Share of failed calls that the caller repeats, and that it hides. */
    retried: random() < 0.3 ? between(0.2, 0.6) : 0,
    hidden: random() < 0.2 ? between(0.1, 0.4) : 0,
  }));
  const children = nodes.map((_, index) =>
    nodes.flatMap((node, i) => (node.caller === index ? [i] : [])),
  );
  const culprit = Math.floor(random() * count);
  const severity = between(0.05, 1);
  const length = Math.round(between(3, 60));
  const from = Math.floor(between(0, 360 - length));
  const perMinute = between(15, 60);

  const minutes = Array.from({ length: 360 }, (_, minute) => {
    const events = nodes.map(() => ({ valid: 0, good: 0 }));
    const out = minute >= from && minute < from + length;
    const call = (index: number): boolean => {
      const node = nodes[index];
      let good =
        random() >= node.noise &&
        !(out && index === culprit && random() < severity);
      for (const child of children[index]) {
        const { used, retried, hidden } = nodes[child];
        if (good && random() < used) {
          const answered = call(child) || (random() < retried && call(child));
          good = answered || random() < hidden;
        }
      }
      events[index].valid += 1;
      events[index].good += good ? 1 : 0;
      return good;
    };
    const requests = Math.round(perMinute * between(0.7, 1.3));
    for (let i = 0; i < requests; i++) {
      call(0);
    }
    return events;
  });
  const depth = (index: number): number =>
    index === 0 ? 0 : 1 + depth(nodes[index].caller);
  // Half of the organisations say in their catalog what depends on what.
  const declared = random() < 0.5;
  const members = nodes.map<AttributionMember>((node, index) => ({
    key: node.name,
    entityRef: node.name,
    step: depth(index),
    dependsOn: declared ? children[index].map(i => nodes[i].name) : undefined,
  }));
  return {
    model: new AttributionModel(members),
    minutes,
    culprit: nodes[culprit].name,
  };
}
