import type { JsonObject } from '@backstage/types';

/** An objective of a service, as New Relic's service levels and burn alerts know it. */
export interface NewRelicObjective {
  sli: 'availability' | 'latency';
  /** Percent of the requests, from 50 to below 100. */
  target: number;
  /** Length of the rolling window in days. */
  windowDays: 1 | 7 | 28;
  /** latency only: a request at most this long is good. */
  thresholdMs?: number;
}

/** Body of `POST /newrelic/plan`: a service that is to be watched. */
export interface NewRelicPlanRequest {
  /** Of the service; names what is made. */
  name: string;
  /** Entity ref of the component. */
  subject: string;
  /** Entity ref of the owner. */
  owner: string;
  environment?: string;
  /** Alias of the account. Default: as configured. */
  account?: string;
  /** `appName` in New Relic. Default: `name`. */
  appName?: string;
  /** Entity ref of the critical path; its objectives are taken when none are given. */
  criticalPath?: string;
  /** Entity ref of the domain. */
  businessModel?: string;
  /** Default: those of the critical path, else the configured ones. */
  objectives?: NewRelicObjective[];
  runbookUrl?: string;
}

/** Answer of `POST /newrelic/plan`; nothing is made by it. */
export interface NewRelicPlan {
  /** Why nothing would be made; absent when `effects` are to be. */
  skipped?: string;
  /** What to send to `POST /effects`, in this order, with `run` and `step`. */
  effects: {
    type: string;
    reference: string;
    subject: string;
    owner: string;
    environment?: string;
    intent: JsonObject;
  }[];
  /** What would be made, one line each, for people. */
  summary: string[];
}
