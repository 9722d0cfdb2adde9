/**
 * One application at one step, as attribution sees it. An application that
 * serves several steps by different operations is several members.
 */
export interface AttributionMember {
  /** Unique among the members. */
  key: string;
  /** Entity ref of the application. */
  entityRef: string;
  /** Position of its step, 0 for the entry step. */
  step: number;
  /** Refs of applications that the catalog says it depends on. */
  dependsOn?: readonly string[];
}

/** Events of one member in one interval. */
export interface MemberEvents {
  valid: number;
  good: number;
}

/** Bad events of the path at one step, by what they are charged to. */
export interface StepCharges {
  bad: number;
  /** Part of `bad` whose cause may be an application that was not observed. */
  unknown: number;
  /** Part of `bad` by the application whose own fault it is. */
  own: Map<string, number>;
}

/** Bad events of one application. */
export interface MemberFaults {
  bad: number;
  /** Part of `bad` that coincides with own faults of applications that it depends on. */
  upstream: number;
}

/**
 * Says whose fault the bad events of a path are.
 *
 * The method, for each minute (or each hour where only hours are stored):
 *
 * 1. A member depends on the members that the catalog's `dependsOn` names,
 *    directly or through others; without such an entry among the path's
 *    applications, on all members at later steps. The entry step always depends
 *    on every other member: that is what makes them one path.
 * 2. From the last dependency to the first caller, a member's own faults are
 *    its bad events less the own faults of all that it depends on, not below 0.
 *    The rest coincides with errors further down and is `upstream`.
 * 3. The bad events of a step are charged to the own faults of the members that
 *    it depends on; when those are more than the step's bad events (retries,
 *    fallbacks), in proportion to them. What they do not explain is the step's
 *    own fault, shared by its members in proportion to their bad events.
 * 4. It is `unknown` instead when a member that could explain it was not
 *    observed in the interval.
 *
 * The charges of a step and its unknown part add up to its bad events, so the
 * shares of a window add up to 100 %.
 *
 * Limits: it looks at counts, not at traces. A fault that callers absorb (by a
 * retry or a fallback) hides as many unrelated errors of those callers in the
 * same minute. Errors of an asynchronous step that the entry does not wait for
 * are charged at most as many as the entry's own bad events of that minute. Two
 * faults at once are told apart by their numbers alone.
 */
export class AttributionModel {
  readonly members: readonly AttributionMember[];
  /** For each member, the indices of all members that it depends on. */
  readonly #dependencies: Set<number>[];
  /** Dependencies before those who depend on them. */
  readonly #order: number[];
  readonly #membersByStep = new Map<number, number[]>();
  readonly #own: Float64Array;

  constructor(members: readonly AttributionMember[]) {
    this.members = members;
    this.#own = new Float64Array(members.length);
    members.forEach((member, index) => {
      const list = this.#membersByStep.get(member.step) ?? [];
      list.push(index);
      this.#membersByStep.set(member.step, list);
    });
    this.#dependencies = dependenciesOf(members);
    this.#order = members
      .map((_, index) => index)
      .sort(
        (a, b) =>
          this.#dependencies[a].size - this.#dependencies[b].size || a - b,
      );
  }

  /** The steps that have members, in order. */
  get steps(): number[] {
    return [...this.#membersByStep.keys()].sort((a, b) => a - b);
  }

  /** Refs of the applications that a member depends on. */
  dependenciesOf(key: string): string[] {
    const index = this.members.findIndex(member => member.key === key);
    return [
      ...new Set(
        [...(this.#dependencies[index] ?? [])].map(
          i => this.members[i].entityRef,
        ),
      ),
    ].sort();
  }

  /**
   * Adds one interval to the totals.
   *
   * @param events - by member, in their order; undefined when it was not
   * observed, zeros when it was and had no request
   */
  add(
    events: readonly (MemberEvents | undefined)[],
    totals: AttributionTotals,
    steps: readonly number[],
  ): void {
    const bad = events.map(e => (e ? Math.max(0, e.valid - e.good) : 0));
    if (!bad.some(count => count > 0)) {
      return;
    }
    const own = this.#own;
    for (const index of this.#order) {
      let below = 0;
      for (const dependency of this.#dependencies[index]) {
        below += own[dependency];
      }
      own[index] = Math.max(0, bad[index] - below);
      if (bad[index] > 0) {
        totals.addFault(
          this.members[index].entityRef,
          bad[index],
          bad[index] - own[index],
        );
      }
    }
    for (const step of steps) {
      const roots = this.#membersByStep.get(step) ?? [];
      const total = roots.reduce((sum, index) => sum + bad[index], 0);
      if (total > 0) {
        this.#charge(step, roots, total, bad, events, totals);
      }
    }
  }

  #charge(
    step: number,
    roots: number[],
    total: number,
    bad: number[],
    events: readonly (MemberEvents | undefined)[],
    totals: AttributionTotals,
  ): void {
    const causes = new Set<number>();
    for (const root of roots) {
      this.#dependencies[root].forEach(d => causes.add(d));
    }
    roots.forEach(root => causes.delete(root));
    let explained = 0;
    let blind = false;
    for (const cause of causes) {
      explained += this.#own[cause];
      blind ||= events[cause] === undefined;
    }
    const scale = explained > total ? total / explained : 1;
    for (const cause of causes) {
      if (this.#own[cause] > 0) {
        totals.addCharge(
          step,
          this.members[cause].entityRef,
          this.#own[cause] * scale,
        );
      }
    }
    const rest = total - explained * scale;
    if (rest <= 0) {
      return;
    }
    if (blind) {
      totals.addUnknown(step, rest);
    } else {
      for (const root of roots) {
        if (bad[root] > 0) {
          totals.addCharge(
            step,
            this.members[root].entityRef,
            (rest * bad[root]) / total,
          );
        }
      }
    }
  }
}

/** Added-up charges and faults. Totals of two stretches of time may be added. */
export class AttributionTotals {
  readonly steps = new Map<number, StepCharges>();
  readonly faults = new Map<string, MemberFaults>();

  addCharge(step: number, entityRef: string, count: number): void {
    const charges = this.#step(step);
    charges.bad += count;
    charges.own.set(entityRef, (charges.own.get(entityRef) ?? 0) + count);
  }

  addUnknown(step: number, count: number): void {
    const charges = this.#step(step);
    charges.bad += count;
    charges.unknown += count;
  }

  addFault(entityRef: string, bad: number, upstream: number): void {
    const faults = this.faults.get(entityRef) ?? { bad: 0, upstream: 0 };
    faults.bad += bad;
    faults.upstream += upstream;
    this.faults.set(entityRef, faults);
  }

  /** Adds the totals of another stretch of time. */
  addTotals(other: AttributionTotals): void {
    for (const [step, charges] of other.steps) {
      charges.own.forEach((count, ref) => this.addCharge(step, ref, count));
      if (charges.unknown > 0) {
        this.addUnknown(step, charges.unknown);
      }
    }
    other.faults.forEach(({ bad, upstream }, ref) =>
      this.addFault(ref, bad, upstream),
    );
  }

  /**
   * Adds the steps up, each bad event times the factor of its step (see
   * `stepFactors`): what a path burned, by application.
   */
  combine(factors: readonly number[]): Omit<StepCharges, 'bad'> & {
    bad: number;
  } {
    const result: StepCharges = { bad: 0, unknown: 0, own: new Map() };
    for (const [step, charges] of this.steps) {
      const factor = factors[step] ?? 0;
      if (factor > 0) {
        result.bad += charges.bad * factor;
        result.unknown += charges.unknown * factor;
        charges.own.forEach((count, ref) =>
          result.own.set(ref, (result.own.get(ref) ?? 0) + count * factor),
        );
      }
    }
    return result;
  }

  #step(step: number): StepCharges {
    let charges = this.steps.get(step);
    if (!charges) {
      charges = { bad: 0, unknown: 0, own: new Map() };
      this.steps.set(step, charges);
    }
    return charges;
  }
}

/** For each member the indices of all members it depends on, directly or through others; without circles. */
function dependenciesOf(members: readonly AttributionMember[]): Set<number>[] {
  const byRef = new Map<string, number[]>();
  members.forEach((member, index) => {
    byRef.set(member.entityRef, [
      ...(byRef.get(member.entityRef) ?? []),
      index,
    ]);
  });
  const first = Math.min(...members.map(member => member.step));
  const closures = members.map(() => new Set<number>());
  /** Adds `to` and all behind it to what `from`, and all who depend on it, depend on. */
  const connect = (from: number, to: number) => {
    if (from === to || closures[from].has(to) || closures[to].has(from)) {
      return; // known already, or it would close a circle
    }
    closures.forEach((closure, index) => {
      if (index === from || closure.has(from)) {
        closure.add(to);
        closures[to].forEach(behind => closure.add(behind));
      }
    });
  };
  const latestFirst = members
    .map((_, index) => index)
    .sort((a, b) => members[b].step - members[a].step || a - b);
  // The entry step comes first: it depends on all others, whatever they say.
  latestFirst.forEach(to => {
    if (members[to].step !== first) {
      latestFirst
        .filter(from => members[from].step === first)
        .forEach(from => connect(from, to));
    }
  });
  const declared = members.map(member =>
    (member.dependsOn ?? []).flatMap(ref => byRef.get(ref) ?? []),
  );
  // What the catalog says is taken over in the order of the path first.
  for (const forward of [true, false]) {
    for (const from of latestFirst) {
      for (const to of declared[from]) {
        if (members[to].step > members[from].step === forward) {
          connect(from, to);
        }
      }
    }
  }
  for (const from of latestFirst) {
    const others = declared[from].filter(
      to => members[to].entityRef !== members[from].entityRef,
    );
    if (others.length === 0) {
      latestFirst
        .filter(to => members[to].step > members[from].step)
        .forEach(to => connect(from, to));
    }
  }
  return closures;
}
