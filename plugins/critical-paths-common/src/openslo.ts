import { parseEntityRef } from '@backstage/catalog-model';
import {
  CRITICAL_PATH_API_VERSION,
  CRITICAL_PATH_KIND,
  OBJECTIVE_WINDOW_DAYS,
  type CriticalPathObjective,
  type ObjectiveWindowDays,
} from './kind';
import {
  CriticalPathInputError,
  parseCriticalPath,
  type CriticalPathIssue,
} from './parse';
import { oneOf } from './schema';
import { describeObjective } from './slo';

/** The version of OpenSLO that is written and read. */
export const OPENSLO_API_VERSION = 'openslo/v1';

const PATH_ANNOTATION = 'rocket.internal/critical-path';
const SLI_ANNOTATION = 'rocket.internal/sli';
const UNIT_ANNOTATION = 'rocket.internal/unit';
const PERCENTILE_ANNOTATION = 'rocket.internal/percentile';
/** On a Service: JSON of the objectives that OpenSLO has no words for. */
const OTHER_OBJECTIVES_ANNOTATION = 'rocket.internal/other-objectives';

/** Kinds of OpenSLO that say nothing about objectives. */
const IGNORED_KINDS = [
  'DataSource',
  'AlertPolicy',
  'AlertCondition',
  'AlertNotificationTarget',
];

/** One document of OpenSLO. */
export interface OpenSloDocument {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    displayName?: string;
    annotations?: Record<string, string>;
  };
  spec: Record<string, unknown>;
}

/** What an export needs to know about a path. */
export interface OpenSloPath {
  entityRef: string;
  title: string;
  description?: string;
  objectives: CriticalPathObjective[];
}

/** What was read from OpenSLO. */
export interface OpenSloImport {
  objectives: CriticalPathObjective[];
  /** What was left out or taken for granted, for people. */
  notes: string[];
}

/** A name as OpenSLO wants it: a label of RFC 1123. */
function label(text: string, taken: Set<string>): string {
  const clean =
    text
      .toLowerCase()
      .replace(/[^a-z0-9-]+/g, '-')
      .replace(/^-+/, '')
      .slice(0, 63)
      .replace(/-+$/, '') || 'path';
  for (let count = 1; ; count++) {
    const suffix = count === 1 ? '' : `-${count}`;
    const name = `${clean.slice(0, 63 - suffix.length)}${suffix}`;
    if (!taken.has(name)) {
      taken.add(name);
      return name;
    }
  }
}

/** OpenSLO knows shares of events below 100 %, and nothing else. */
function isExpressible({ sli, target }: CriticalPathObjective): boolean {
  return sli !== 'throughput' && target < 100;
}

function shorten(text: string): string {
  return text.length > 1050 ? `${text.slice(0, 1049)}…` : text;
}

/**
 * The objectives of paths as OpenSLO documents: a Service per path and an SLO
 * per objective. Objectives about throughput and targets of 100 % have no form
 * in OpenSLO; they are kept in an annotation of the Service.
 */
export function toOpenSlo(paths: OpenSloPath[]): OpenSloDocument[] {
  const services = new Set<string>();
  const slos = new Set<string>();
  return paths.flatMap(path => {
    const { namespace, name } = parseEntityRef(path.entityRef);
    const service = label(
      namespace === 'default' ? name : `${namespace}-${name}`,
      services,
    );
    const other = path.objectives.filter(o => !isExpressible(o));
    const metric = (count: string) => ({
      metricSource: {
        type: 'Rocket',
        spec: { criticalPath: path.entityRef, count },
      },
    });
    return [
      {
        apiVersion: OPENSLO_API_VERSION,
        kind: 'Service',
        metadata: {
          name: service,
          displayName: path.title,
          annotations: {
            [PATH_ANNOTATION]: path.entityRef,
            ...(other.length > 0 && {
              [OTHER_OBJECTIVES_ANNOTATION]: JSON.stringify(other),
            }),
          },
        },
        spec: path.description
          ? { description: shorten(path.description) }
          : {},
      },
      ...path.objectives
        .filter(isExpressible)
        .map<OpenSloDocument>(objective => {
          const { sli, target, windowDays, thresholdMs, percentile } =
            objective;
          const slo = label(`${service}-${sli}-${windowDays}d`, slos);
          return {
            apiVersion: OPENSLO_API_VERSION,
            kind: 'SLO',
            metadata: {
              name: slo,
              displayName: `${path.title}: ${describeObjective(objective)}`,
              annotations: {
                [SLI_ANNOTATION]: sli,
                ...(sli === 'latency' && { [UNIT_ANNOTATION]: 'ms' }),
                ...(percentile !== undefined && {
                  [PERCENTILE_ANNOTATION]: String(percentile),
                }),
              },
            },
            spec: {
              service,
              indicator: {
                metadata: { name: label(`${slo}-sli`, new Set()) },
                spec:
                  sli === 'latency'
                    ? { thresholdMetric: metric('latency') }
                    : {
                        ratioMetric: {
                          counter: false,
                          good: metric('good'),
                          total: metric('valid'),
                        },
                      },
              },
              timeWindow: [{ duration: `${windowDays}d`, isRolling: true }],
              budgetingMethod: 'Occurrences',
              objectives: [
                {
                  displayName: describeObjective(objective),
                  ...(sli === 'latency' && { op: 'lte', value: thresholdMs }),
                  targetPercent: target,
                },
              ],
            },
          };
        }),
    ];
  });
}

type Fields = Record<string, unknown>;

function isFields(value: unknown): value is Fields {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function show(value: unknown): string {
  return value === undefined ? 'missing' : JSON.stringify(value).slice(0, 80);
}

class Importer {
  readonly #documents: Fields[];
  readonly #issues: CriticalPathIssue[] = [];
  readonly notes: string[] = [];
  readonly objectives: CriticalPathObjective[] = [];

  constructor(documents: unknown[]) {
    this.#documents = documents.filter((document, index) => {
      const at = `documents[${index}]`;
      if (!isFields(document)) {
        this.#complain(at, 'must be an OpenSLO document', document);
        return false;
      }
      if (document.apiVersion !== OPENSLO_API_VERSION) {
        this.#complain(
          `${at}.apiVersion`,
          `must be ${OPENSLO_API_VERSION}`,
          document.apiVersion,
        );
        return false;
      }
      return true;
    }) as Fields[];
  }

  run(pathName: string): void {
    const wanted = this.#wantedService(pathName);
    this.#documents.forEach((document, index) => {
      const at = `documents[${index}]`;
      const { kind } = document;
      if (kind === 'SLO') {
        const service = isFields(document.spec)
          ? document.spec.service
          : undefined;
        if (wanted === undefined || service === wanted) {
          this.#slo(document, at);
        } else {
          this.notes.push(
            `${at} is about the service ${String(service)} and was left out`,
          );
        }
      } else if (kind === 'Service') {
        this.#service(document, at, wanted);
      } else if (IGNORED_KINDS.includes(kind as string)) {
        this.notes.push(
          `${at} is of kind ${kind}, which says nothing about objectives, and was left out`,
        );
      } else if (kind !== 'SLI') {
        this.#complain(
          `${at}.kind`,
          `must be ${oneOf(['SLO', 'SLI', 'Service', ...IGNORED_KINDS])}`,
          kind,
        );
      }
    });
    if (this.#issues.length === 0 && this.objectives.length === 0) {
      this.#complain('documents', 'must hold at least one SLO', undefined);
    }
    if (this.#issues.length > 0) {
      throw new CriticalPathInputError(this.#issues);
    }
  }

  /** The service whose SLOs are taken; undefined for all, when there is but one. */
  #wantedService(pathName: string): string | undefined {
    const services = new Set(
      this.#documents
        .filter(({ kind }) => kind === 'SLO')
        .map(({ spec }) => (isFields(spec) ? spec.service : undefined)),
    );
    if (services.size <= 1) {
      return undefined;
    }
    if (!services.has(pathName)) {
      this.#complain(
        'documents',
        `must have SLOs of the service ${pathName}, or of one service only`,
        [...services],
      );
    }
    return pathName;
  }

  #complain(field: string, message: string, found: unknown): void {
    this.#issues.push({
      field,
      message: `${field} ${message}, was ${show(found)}`,
    });
  }

  #service(document: Fields, at: string, wanted: string | undefined): void {
    const metadata = isFields(document.metadata) ? document.metadata : {};
    const text = isFields(metadata.annotations)
      ? metadata.annotations[OTHER_OBJECTIVES_ANNOTATION]
      : undefined;
    if (
      text === undefined ||
      (wanted !== undefined && metadata.name !== wanted)
    ) {
      return;
    }
    try {
      const others = JSON.parse(String(text));
      if (!Array.isArray(others)) {
        throw new Error('no list');
      }
      this.objectives.push(...others);
    } catch {
      this.#complain(
        `${at}.metadata.annotations["${OTHER_OBJECTIVES_ANNOTATION}"]`,
        'must be a JSON list of objectives',
        text,
      );
    }
  }

  #slo(document: Fields, at: string): void {
    const { metadata, spec } = document;
    if (!isFields(spec)) {
      this.#complain(`${at}.spec`, 'must be an object', spec);
      return;
    }
    const annotations =
      isFields(metadata) && isFields(metadata.annotations)
        ? metadata.annotations
        : {};
    const windowDays = this.#window(spec.timeWindow, `${at}.spec.timeWindow`);
    if (spec.budgetingMethod !== 'Occurrences') {
      this.#complain(
        `${at}.spec.budgetingMethod`,
        'must be Occurrences',
        spec.budgetingMethod,
      );
    }
    const sli = this.#indicator(spec, at);
    const { objectives } = spec;
    const field = `${at}.spec.objectives`;
    if (!Array.isArray(objectives) || objectives.length === 0) {
      this.#complain(field, 'must be a list of objectives', objectives);
      return;
    }
    if (sli === 'latency' && objectives.length > 1) {
      this.#complain(
        field,
        'must be one objective for a thresholdMetric',
        objectives.length,
      );
      return;
    }
    objectives.forEach((objective, index) => {
      const place = `${field}[${index}]`;
      if (!isFields(objective)) {
        this.#complain(place, 'must be an object', objective);
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
        this.objectives.push({
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
      this.#complain(field, 'must be a list of one time window', value);
      return undefined;
    }
    if (window.isRolling !== true) {
      this.#complain(
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
      this.#complain(
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
        this.#complain(
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
      this.#complain(
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
      this.#complain(at, 'must have either target or targetPercent', {
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
      this.#complain(
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
      this.#complain(`${at}.op`, 'must be lte for a latency', op);
      return undefined;
    }
    if (typeof value !== 'number' || !(value > 0)) {
      this.#complain(`${at}.value`, 'must be a number above 0', value);
      return undefined;
    }
    if (op === 'lt') {
      this.notes.push(`${at}.op is lt; it was read as lte`);
    }
    const unit = annotations[UNIT_ANNOTATION];
    if (unit === 's') {
      return Number((value * 1000).toPrecision(12));
    }
    if (unit === undefined) {
      this.notes.push(
        `${at}.value has no unit in OpenSLO; it was read as milliseconds (annotation ${UNIT_ANNOTATION}: ms or s)`,
      );
    } else if (unit !== 'ms') {
      this.#complain(
        `annotation ${UNIT_ANNOTATION} of ${at}`,
        'must be ms or s',
        unit,
      );
      return undefined;
    }
    return value;
  }
}

/**
 * Reads the objectives of a path from OpenSLO documents.
 *
 * @param documents - as parsed from YAML or JSON
 * @throws CriticalPathInputError with one issue per fault; each names the field,
 * for example `documents[1].spec.timeWindow[0].duration must be 1d, 7d, 28d or 30d, was "14d"`
 */
export function fromOpenSlo(
  documents: unknown[],
  path: { namespace: string; name: string },
): OpenSloImport {
  const importer = new Importer(documents);
  importer.run(path.name);
  // The objectives' own rules, as the catalog will apply them.
  const { objectives } = parseCriticalPath({
    apiVersion: CRITICAL_PATH_API_VERSION,
    kind: CRITICAL_PATH_KIND,
    metadata: { name: path.name, namespace: path.namespace },
    spec: {
      owner: 'group:default/owner',
      businessModel: 'domain:default/model',
      type: 'transaction',
      lifecycle: 'production',
      steps: [{ component: 'component:default/entry' }],
      objectives: importer.objectives,
    },
  });
  return { objectives, notes: importer.notes };
}
