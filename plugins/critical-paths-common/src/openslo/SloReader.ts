import {
  OBJECTIVE_WINDOW_DAYS,
  type CriticalPathObjective,
  type ObjectiveWindowDays,
} from '../kind';
import { oneOf } from '../schema';
import { PERCENTILE_ANNOTATION, UNIT_ANNOTATION } from './documents';

/** A part of a document that nobody has checked yet. */
export type Fields = Record<string, unknown>;

export function isFields(value: unknown): value is Fields {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

/** Takes what a reader finds. */
export interface Findings {
  complain(field: string, message: string, found: unknown): void;
  /** Something that was taken for granted, for people. */
  note(text: string): void;
  objective(objective: CriticalPathObjective): void;
}

/** Reads the objectives of one SLO document. */
export class SloReader {
  readonly #documents: Fields[];
  readonly #findings: Findings;

  /** @param documents - all of them: an SLO may name its SLI */
  constructor(documents: Fields[], findings: Findings) {
    this.#documents = documents;
    this.#findings = findings;
  }

  /** @param at - where the document stands, for faults */
  read(document: Fields, at: string): void {
    const { metadata, spec } = document;
    if (!isFields(spec)) {
      this.#findings.complain(`${at}.spec`, 'must be an object', spec);
      return;
    }
    const annotations =
      isFields(metadata) && isFields(metadata.annotations)
        ? metadata.annotations
        : {};
    const windowDays = this.#window(spec.timeWindow, `${at}.spec.timeWindow`);
    if (spec.budgetingMethod !== 'Occurrences') {
      this.#findings.complain(
        `${at}.spec.budgetingMethod`,
        'must be Occurrences',
        spec.budgetingMethod,
      );
    }
    const sli = this.#indicator(spec, at);
    const { objectives } = spec;
    const field = `${at}.spec.objectives`;
    if (!Array.isArray(objectives) || objectives.length === 0) {
      this.#findings.complain(
        field,
        'must be a list of objectives',
        objectives,
      );
      return;
    }
    if (sli === 'latency' && objectives.length > 1) {
      this.#findings.complain(
        field,
        'must be one objective for a thresholdMetric',
        objectives.length,
      );
      return;
    }
    objectives.forEach((objective, index) => {
      const place = `${field}[${index}]`;
      if (!isFields(objective)) {
        this.#findings.complain(place, 'must be an object', objective);
        return;
      }
      const target = this.#target(objective, place);
      const thresholdMs =
        sli === 'latency'
          ? this.#threshold(objective, annotations, place)
          : undefined;
      const percentile = annotations[PERCENTILE_ANNOTATION];
      if (
        windowDays !== undefined &&
        sli !== undefined &&
        target !== undefined &&
        (sli !== 'latency' || thresholdMs !== undefined)
      ) {
        this.#findings.objective({
          sli,
          target,
          ...(thresholdMs !== undefined && { thresholdMs }),
          ...(sli === 'latency' &&
            percentile !== undefined && { percentile: Number(percentile) }),
          windowDays,
        });
      }
    });
  }

  #window(value: unknown, field: string): ObjectiveWindowDays | undefined {
    const [window] = Array.isArray(value) ? value : [];
    if (!isFields(window) || (value as unknown[]).length !== 1) {
      this.#findings.complain(
        field,
        'must be a list of one time window',
        value,
      );
      return undefined;
    }
    if (window.isRolling !== true) {
      this.#findings.complain(
        `${field}[0].isRolling`,
        'must be true; windows that follow the calendar are not supported',
        window.isRolling,
      );
      return undefined;
    }
    const match = /^(\d+)(h|d|w)$/.exec(String(window.duration));
    const hours = { h: 1, d: 24, w: 168 };
    const days =
      match && (Number(match[1]) * hours[match[2] as keyof typeof hours]) / 24;
    const known = OBJECTIVE_WINDOW_DAYS.find(allowed => allowed === days);
    if (known === undefined) {
      this.#findings.complain(
        `${field}[0].duration`,
        `must be ${oneOf(OBJECTIVE_WINDOW_DAYS.map(d => `${d}d`))}`,
        window.duration,
      );
    }
    return known;
  }

  #indicator(spec: Fields, at: string): 'availability' | 'latency' | undefined {
    let indicator = spec.indicator;
    let field = `${at}.spec.indicator`;
    if (indicator === undefined) {
      field = `${at}.spec.indicatorRef`;
      indicator = this.#documents.find(
        ({ kind, metadata }) =>
          kind === 'SLI' &&
          isFields(metadata) &&
          metadata.name === spec.indicatorRef,
      );
      if (indicator === undefined) {
        this.#findings.complain(
          field,
          'must be the name of an SLI among the documents, or an indicator must be given',
          spec.indicatorRef,
        );
        return undefined;
      }
    }
    const metric =
      isFields(indicator) && isFields(indicator.spec) ? indicator.spec : {};
    const ratio = metric.ratioMetric !== undefined;
    if (ratio === (metric.thresholdMetric !== undefined)) {
      this.#findings.complain(
        `${field}.spec`,
        'must have either ratioMetric or thresholdMetric',
        Object.keys(metric),
      );
      return undefined;
    }
    return ratio ? 'availability' : 'latency';
  }

  #target(objective: Fields, at: string): number | undefined {
    const { target, targetPercent } = objective;
    if ((target === undefined) === (targetPercent === undefined)) {
      this.#findings.complain(at, 'must have either target or targetPercent', {
        target,
        targetPercent,
      });
      return undefined;
    }
    const [name, value, limit] =
      target === undefined
        ? ['targetPercent', targetPercent, 100]
        : ['target', target, 1];
    if (typeof value !== 'number' || !(value > 0) || !(value < limit)) {
      this.#findings.complain(
        `${at}.${name}`,
        `must be a number above 0 and below ${limit}`,
        value,
      );
      return undefined;
    }
    // Twelve digits: 0.999 is 99.9 % and not 99.90000000000001 %.
    return name === 'target' ? Number((value * 100).toPrecision(12)) : value;
  }

  #threshold(
    objective: Fields,
    annotations: Fields,
    at: string,
  ): number | undefined {
    const { op, value } = objective;
    if (op !== 'lte' && op !== 'lt') {
      this.#findings.complain(`${at}.op`, 'must be lte for a latency', op);
      return undefined;
    }
    if (typeof value !== 'number' || !(value > 0)) {
      this.#findings.complain(`${at}.value`, 'must be a number above 0', value);
      return undefined;
    }
    if (op === 'lt') {
      this.#findings.note(`${at}.op is lt; it was read as lte`);
    }
    const unit = annotations[UNIT_ANNOTATION];
    if (unit === 's') {
      return Number((value * 1000).toPrecision(12));
    }
    if (unit === undefined) {
      this.#findings.note(
        `${at}.value has no unit in OpenSLO; it was read as milliseconds (annotation ${UNIT_ANNOTATION}: ms or s)`,
      );
    } else if (unit !== 'ms') {
      this.#findings.complain(
        `annotation ${UNIT_ANNOTATION} of ${at}`,
        'must be ms or s',
        unit,
      );
      return undefined;
    }
    return value;
  }
}
