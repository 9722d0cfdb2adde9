import type { Entity } from '@backstage/catalog-model';
import type { Workflow } from './workflow';

/** The API version of every Rocket entity kind in this release. */
export const CRITICAL_PATH_API_VERSION = 'rocket.internal/v1alpha1';

/** The kind as written in YAML; entity refs use the lower-case form. */
export const CRITICAL_PATH_KIND = 'CriticalPath';

/** On a Component: the entity ref of the critical path that it joins. */
export const ANNOTATION_CRITICAL_PATH = 'rocket.internal/critical-path';

/** On a Component: the name of the step that it serves in that path. */
export const ANNOTATION_CRITICAL_PATH_STEP =
  'rocket.internal/critical-path-step';

/** On a Component: its `appName` in New Relic. Default: `metadata.name`. */
export const ANNOTATION_NEWRELIC_APP = 'rocket.internal/newrelic-app';

/** On a Component: the alias of its New Relic account in `newrelic.accounts`. Default: the default account. */
export const ANNOTATION_NEWRELIC_ACCOUNT = 'rocket.internal/newrelic-account';

/** On a Component: the value of its application label (`job`) in Prometheus. Default: `metadata.name`. */
export const ANNOTATION_PROMETHEUS_APP = 'rocket.internal/prometheus-app';

/** On a Component: the alias of its server in `criticalPaths.prometheus.servers`. Default: the default server. */
export const ANNOTATION_PROMETHEUS_SERVER = 'rocket.internal/prometheus-server';

/** The service level indicators an objective can be about. */
export const SLIS = ['availability', 'latency', 'throughput'] as const;
export type Sli = (typeof SLIS)[number];

/**
 * How the figures of the steps become the availability of the path:
 * `measured`: the entry step's own good and valid events (the default);
 * `serial`: the product of the availabilities of the steps;
 * `weighted`: their mean, by the weights of the steps;
 * `worst`: the lowest of them.
 */
export const AGGREGATIONS = [
  'measured',
  'serial',
  'weighted',
  'worst',
] as const;
export type Aggregation = (typeof AGGREGATIONS)[number];

/** Rolling windows that an objective may use, in days. */
export const OBJECTIVE_WINDOW_DAYS = [1, 7, 28, 30] as const;
export type ObjectiveWindowDays = (typeof OBJECTIVE_WINDOW_DAYS)[number];

/** How the telemetry of a step is selected; every field has a default. */
export type StepTelemetry = {
  /** Id of the telemetry source. Default: `newrelic`. */
  source?: string;
  /** Account alias. Default: the component's annotation, else the source's default account. */
  account?: string;
  /** Application name at the source. Default: the component's annotation, else its name. */
  appName?: string;
  /** Value of the custom attribute `criticalPath`. Default: the path's `metadata.name`. */
  criticalPath?: string;
};

/** One application's part of a path. Steps are ordered; the first one is the entry step. */
export type CriticalPathStep = {
  /** Unique in the path; `[a-z0-9-]`, at most 63 characters. Default: the component's name. */
  name?: string;
  /** Text for people. */
  title?: string;
  /** Entity ref; kind defaults to Component, namespace to that of the path. */
  component: string;
  /** Only requests with this transaction name count, for example `POST /v1/transactions`. */
  operation?: string;
  /** Weight of the step in the aggregation `weighted`, > 0. Default: 1. */
  weight?: number;
  telemetry?: StepTelemetry;
};

/** A target over a rolling window. */
export type CriticalPathObjective = {
  sli: Sli;
  /** availability, latency: percent of events, 0 < target <= 100. throughput: requests per minute, > 0. */
  target: number;
  /** latency only: a request at most this long, in milliseconds, is good. */
  thresholdMs?: number;
  /** latency only: the percentile that the threshold speaks about, for display; `target` when left out. */
  percentile?: number;
  /** Length of the rolling window in days. */
  windowDays: ObjectiveWindowDays;
};

/** A flow that a client's money depends on, mapped per business model, crossing several applications. */
export interface CriticalPathEntityV1alpha1 extends Entity {
  apiVersion: typeof CRITICAL_PATH_API_VERSION;
  kind: typeof CRITICAL_PATH_KIND;
  spec: {
    /** Entity ref of a Group or User. */
    owner: string;
    /** Entity ref of a Domain. */
    businessModel: string;
    /** Kind of flow, for example `transaction` or `authorization`. */
    type: string;
    /** `experimental`, `production` or `deprecated`, as for a Component. */
    lifecycle: string;
    /** Default: `measured`. */
    aggregation?: Aggregation;
    steps: CriticalPathStep[];
    objectives?: CriticalPathObjective[];
    /** Synthetic workflows that walk the path on a schedule. */
    workflows?: Workflow[];
  };
}
