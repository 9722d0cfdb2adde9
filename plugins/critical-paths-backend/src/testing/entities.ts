import type { Entity } from '@backstage/catalog-model';
import {
  ANNOTATION_CRITICAL_PATH,
  ANNOTATION_CRITICAL_PATH_STEP,
  type CriticalPathEntityV1alpha1,
} from '@rocket/plugin-critical-paths-common';

/** A Component; with `joins` it joins a step of a path. */
export function componentEntity(
  name: string,
  options: {
    joins?: { path: string; step: string };
    annotations?: Record<string, string>;
  } = {},
): Entity {
  return {
    apiVersion: 'backstage.io/v1alpha1',
    kind: 'Component',
    metadata: {
      namespace: 'default',
      name,
      annotations: {
        ...options.annotations,
        ...(options.joins && {
          [ANNOTATION_CRITICAL_PATH]: options.joins.path,
          [ANNOTATION_CRITICAL_PATH_STEP]: options.joins.step,
        }),
      },
    },
    spec: {
      type: 'service',
      lifecycle: 'production',
      owner: 'group:default/a',
    },
  };
}

/** A CriticalPath with one step per component and an availability objective. */
export function pathEntity(
  name: string,
  components: string[],
  spec: Partial<CriticalPathEntityV1alpha1['spec']> = {},
): CriticalPathEntityV1alpha1 {
  return {
    apiVersion: 'rocket.internal/v1alpha1',
    kind: 'CriticalPath',
    metadata: { namespace: 'default', name },
    spec: {
      owner: 'group:default/ledger',
      businessModel: 'domain:default/payments',
      type: 'transaction',
      lifecycle: 'production',
      steps: components.map(component => ({ component })),
      objectives: [{ sli: 'availability', target: 99, windowDays: 1 }],
      ...spec,
    },
  };
}
