import { z } from 'zod';

/**
 * The kinds by which the boards count coverage: shut down a part of the flow;
 * a peak of traffic; pressure on memory or processor; faults injected into
 * network and data.
 */
export const FAULT_KINDS = [
  'shutdown',
  'traffic-peak',
  'resource-pressure',
  'injection',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

const percent = (of: string) =>
  z
    .number()
    .gt(0, `must be above 0: the share of ${of} in percent`)
    .max(100, 'must be at most 100 percent');

const wholeNumber = (min: number, max: number, unit: string) =>
  z
    .number()
    .int('must be a whole number')
    .min(min, `must be at least ${min} ${unit}`)
    .max(max, `must be at most ${max} ${unit}`);

/**
 * The closed catalogue of faults. Engines translate them; none has free
 * arguments, so that no experiment can do what its form does not say.
 */
export const faultSchema = z.discriminatedUnion(
  'type',
  [
    /** The instances are down for as long as the fault lasts. */
    z.strictObject({ type: z.literal('stop') }),
    /** The instances are killed once and come back as they can. */
    z.strictObject({ type: z.literal('kill') }),
    /** The instances hang: they are there and do not answer. */
    z.strictObject({ type: z.literal('pause') }),
    z.strictObject({
      type: z.literal('traffic'),
      /** Requests per second that are added. */
      requestsPerSecond: wholeNumber(1, 5_000, 'requests per second'),
      /** Path of a read-only request that the load consists of. */
      path: z
        .string()
        .max(500)
        .regex(/^\/(?!\/)[^\s#]*$/, 'must be a path that begins with /'),
    }),
    z.strictObject({
      type: z.literal('memory'),
      /** Memory that is taken, in MiB. */
      megabytes: wholeNumber(16, 16_384, 'MiB'),
    }),
    z.strictObject({
      type: z.literal('cpu'),
      /** Load of each worker, in percent of a core. */
      load: percent('a core'),
      workers: wholeNumber(1, 16, 'workers'),
    }),
    z.strictObject({
      type: z.literal('latency'),
      /** Added to each request, in milliseconds. */
      delayMs: wholeNumber(1, 60_000, 'ms'),
      /** Each delay differs from it by at most this, in milliseconds. */
      jitterMs: wholeNumber(0, 60_000, 'ms').default(0),
      /** Share of requests that are delayed. */
      percent: percent('requests').default(100),
    }),
    z.strictObject({
      type: z.literal('errors'),
      /** Status of the answers that stand in for the real ones. */
      status: wholeNumber(400, 599, ''),
      percent: percent('requests'),
    }),
    z.strictObject({
      type: z.literal('loss'),
      /** Share of connections that are cut, or of packets that are lost. */
      percent: percent('connections'),
    }),
    z.strictObject({
      type: z.literal('corrupt'),
      /** Share of answers whose body is damaged. */
      percent: percent('answers'),
    }),
  ],
  { error: 'type: must be a fault of the catalogue' },
);

export type Fault = z.infer<typeof faultSchema>;
export type FaultType = Fault['type'];

const KIND_OF: Record<FaultType, FaultKind> = {
  stop: 'shutdown',
  kill: 'shutdown',
  pause: 'shutdown',
  traffic: 'traffic-peak',
  memory: 'resource-pressure',
  cpu: 'resource-pressure',
  latency: 'injection',
  errors: 'injection',
  loss: 'injection',
  corrupt: 'injection',
};

/** The kind that a fault counts for. */
export function kindOf(fault: Pick<Fault, 'type'>): FaultKind {
  return KIND_OF[fault.type];
}

/** True when the fault happens at one moment and has no length. */
export function isOneShot(fault: Pick<Fault, 'type'>): boolean {
  return fault.type === 'kill';
}

/** The fault in words, for people who do not know the engine: `answers with status 503 for 20 % of requests`. */
export function describeFault(fault: Fault): string {
  switch (fault.type) {
    case 'stop':
      return 'is shut down';
    case 'kill':
      return 'is killed once';
    case 'pause':
      return 'hangs and answers nobody';
    case 'traffic':
      return `gets ${fault.requestsPerSecond} requests per second more`;
    case 'memory':
      return `has ${fault.megabytes} MiB of its memory taken`;
    case 'cpu':
      return `shares its processor with ${fault.workers} ${
        fault.workers === 1 ? 'worker' : 'workers'
      } at ${fault.load} %`;
    case 'latency':
      return `answers ${fault.delayMs} ms later${
        fault.percent === 100 ? '' : ` to ${fault.percent} % of requests`
      }`;
    case 'errors':
      return `answers with status ${fault.status} to ${fault.percent} % of requests`;
    case 'loss':
      return `loses ${fault.percent} % of its connections`;
    case 'corrupt':
      return `damages ${fault.percent} % of its answers`;
    default:
      return fault satisfies never;
  }
}
