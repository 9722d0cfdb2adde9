import {
  parseEntityRef,
  stringifyEntityRef,
  type Entity,
} from '@backstage/catalog-model';
import {
  ANNOTATION_CRITICAL_PATH,
  ANNOTATION_CRITICAL_PATH_STEP,
  ANNOTATION_NEWRELIC_ACCOUNT,
  ANNOTATION_NEWRELIC_APP,
  ANNOTATION_PROMETHEUS_APP,
  ANNOTATION_PROMETHEUS_SERVER,
} from './kind';
import { isEntityRef, type ParsedCriticalPath } from './parse';

/** Where a component says what it is called at a source; other sources have its name only. */
const SOURCE_ANNOTATIONS: Partial<
  Record<string, { account: string; appName: string }>
> = {
  newrelic: {
    account: ANNOTATION_NEWRELIC_ACCOUNT,
    appName: ANNOTATION_NEWRELIC_APP,
  },
  prometheus: {
    account: ANNOTATION_PROMETHEUS_SERVER,
    appName: ANNOTATION_PROMETHEUS_APP,
  },
};

/** How the requests of one application at one step are told apart at the source. */
export interface TelemetrySelection {
  source: string;
  account?: string;
  appName: string;
  criticalPath: string;
  operation?: string;
}

/** One application that serves a step. */
export interface StepMember {
  /** Full entity ref, lower case. */
  entityRef: string;
  /** False when the catalog has no such component. */
  known: boolean;
  /** True when it joined by its own annotation. */
  joined: boolean;
  selection: TelemetrySelection;
  /** Refs of what the catalog says it depends on (`spec.dependsOn`), when it says anything. */
  dependsOn?: string[];
}

export interface ResolvedStep {
  name: string;
  title: string;
  operation?: string;
  /** Weight in the aggregation `weighted`. */
  weight: number;
  /** True for the first step, where the path's own figures are measured. */
  entry: boolean;
  /** The component that the step names first, joined ones after it by ref. */
  members: StepMember[];
}

/** A path with the applications that serve each of its steps. */
export interface ResolvedPath {
  path: ParsedCriticalPath;
  steps: ResolvedStep[];
  /** Refs named by steps that the catalog does not have. */
  unknownComponents: string[];
  /** Components that ask to join the path in a way that cannot be followed, for people. */
  problems: string[];
}

/** What a component says about joining a path. */
export type JoinRequest =
  | { pathRef: string; step: string; error?: undefined }
  | { error: string };

/**
 * Reads the joining annotations of a component; undefined when it has none.
 * The error names the annotation and the way out.
 */
export function readJoinRequest(component: Entity): JoinRequest | undefined {
  const annotations = component.metadata.annotations ?? {};
  const path = annotations[ANNOTATION_CRITICAL_PATH];
  const step = annotations[ANNOTATION_CRITICAL_PATH_STEP];
  if (path === undefined && step === undefined) {
    return undefined;
  }
  if (path === undefined) {
    return {
      error: `metadata.annotations["${ANNOTATION_CRITICAL_PATH}"] must name the path that step "${step}" belongs to, for example criticalpath:default/transaction-posting, was missing`,
    };
  }
  const kind = path.includes(':') ? path.split(':')[0].toLowerCase() : '';
  if (!isEntityRef(path) || (kind !== '' && kind !== 'criticalpath')) {
    return {
      error: `metadata.annotations["${ANNOTATION_CRITICAL_PATH}"] must be an entity ref of a CriticalPath, for example criticalpath:default/transaction-posting, was ${JSON.stringify(
        path,
      )}`,
    };
  }
  if (step === undefined || step.trim() === '') {
    return {
      error: `metadata.annotations["${ANNOTATION_CRITICAL_PATH_STEP}"] must be the name of a step of ${path}, was ${
        step === undefined ? 'missing' : 'empty'
      }`,
    };
  }
  return {
    pathRef: stringifyEntityRef(
      parseEntityRef(path, {
        defaultKind: 'criticalpath',
        defaultNamespace: component.metadata.namespace,
      }),
    ),
    step: step.trim(),
  };
}

/** Components of the catalog, ready to be looked up by ref and by the path that they join. */
export interface ComponentIndex {
  byRef: Map<string, Entity>;
  joining: Map<string, { entity: Entity; entityRef: string; step: string }[]>;
}

/** Indexes components for {@link resolvePath}. Bad joining annotations are left out here; the catalog reports them. */
export function indexComponents(components: Iterable<Entity>): ComponentIndex {
  const index: ComponentIndex = { byRef: new Map(), joining: new Map() };
  for (const entity of components) {
    const entityRef = stringifyEntityRef(entity);
    index.byRef.set(entityRef, entity);
    const request = readJoinRequest(entity);
    if (request && request.error === undefined) {
      const list = index.joining.get(request.pathRef) ?? [];
      list.push({ entity, entityRef, step: request.step });
      index.joining.set(request.pathRef, list);
    }
  }
  for (const list of index.joining.values()) {
    list.sort((a, b) => (a.entityRef < b.entityRef ? -1 : 1));
  }
  return index;
}

function dependencies(entity: Entity | undefined): { dependsOn?: string[] } {
  const listed = entity?.spec?.dependsOn;
  if (!entity || !Array.isArray(listed)) {
    return {};
  }
  const dependsOn = listed
    .filter(ref => typeof ref === 'string' && isEntityRef(ref))
    .map(ref =>
      stringifyEntityRef(
        parseEntityRef(ref as string, {
          defaultKind: 'component',
          defaultNamespace: entity.metadata.namespace,
        }),
      ),
    );
  return dependsOn.length > 0 ? { dependsOn } : {};
}

/**
 * Finds the applications of every step: the component that the step names and
 * those that join it by annotation. A component that is unknown stays in the
 * result, with `known: false`.
 */
export function resolvePath(
  path: ParsedCriticalPath,
  components: ComponentIndex,
): ResolvedPath {
  const joining = components.joining.get(path.entityRef) ?? [];
  const unknown = new Set<string>();
  const member = (
    entityRef: string,
    entity: Entity | undefined,
    step: ParsedCriticalPath['steps'][number],
    joined: boolean,
  ): StepMember => {
    const annotations = entity?.metadata.annotations ?? {};
    // What a step says about its own component (its name at the source, the
    // name of the transaction) does not hold for one that joined it.
    const own = joined ? undefined : step.telemetry;
    const names = SOURCE_ANNOTATIONS[step.telemetry.source];
    return {
      entityRef,
      known: entity !== undefined,
      joined,
      selection: {
        source: step.telemetry.source,
        account: own?.account ?? annotations[names?.account ?? ''],
        appName:
          own?.appName ??
          annotations[names?.appName ?? ''] ??
          entity?.metadata.name ??
          parseEntityRef(entityRef).name,
        criticalPath: step.telemetry.criticalPath,
        operation: joined ? undefined : step.operation,
      },
      ...dependencies(entity),
    };
  };
  const steps = path.steps.map<ResolvedStep>((step, index) => {
    const named = components.byRef.get(step.componentRef);
    if (!named) {
      unknown.add(step.componentRef);
    }
    return {
      name: step.name,
      title: step.title,
      operation: step.operation,
      weight: step.weight,
      entry: index === 0,
      members: [
        member(step.componentRef, named, step, false),
        ...joining
          .filter(
            j => j.step === step.name && j.entityRef !== step.componentRef,
          )
          .map(j => member(j.entityRef, j.entity, step, true)),
      ],
    };
  });
  const names = path.steps.map(step => step.name);
  return {
    path,
    steps,
    unknownComponents: [...unknown],
    problems: joining
      .filter(j => !names.includes(j.step))
      .map(
        j =>
          `${j.entityRef} asks to join step "${
            j.step
          }", but the steps are ${names.join(', ')}`,
      ),
  };
}
