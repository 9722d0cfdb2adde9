import { parseEntityRef } from '@backstage/catalog-model';
import type { CriticalPathObjective } from '../kind';
import { describeObjective } from '../slo';
import {
  OPENSLO_API_VERSION,
  OTHER_OBJECTIVES_ANNOTATION,
  PATH_ANNOTATION,
  PERCENTILE_ANNOTATION,
  SLI_ANNOTATION,
  UNIT_ANNOTATION,
  type OpenSloDocument,
} from './documents';

/** What an export needs to know about a path. */
export interface OpenSloPath {
  entityRef: string;
  title: string;
  description?: string;
  objectives: CriticalPathObjective[];
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
