/** What the service asks of the agent. Without an agent nothing is recorded. */
export type Telemetry = {
  /** Sets a custom attribute on the transaction of the current request. */
  addAttribute(name: string, value: string): void;
  /** Names the transaction of the current request, so that refusals before the handler are counted with their route. */
  nameTransaction(name: string): void;
  /** The id of the current distributed trace. */
  traceId(): string | undefined;
  /** Sends what is still to be sent. */
  stop(): Promise<void>;
};

export const noTelemetry: Telemetry = {
  addAttribute: () => {},
  nameTransaction: () => {},
  traceId: () => undefined,
  stop: async () => {},
};

/** The running New Relic agent (see telemetry.ts), or nothing when it is switched off. */
export async function loadTelemetry(env: Record<string, string | undefined>): Promise<Telemetry> {
  if (env.NEW_RELIC_ENABLED === 'false') return noTelemetry;
  const { default: agent } = await import('newrelic');
  return {
    addAttribute: (name, value) => agent.addCustomAttribute(name, value),
    nameTransaction: name => agent.setTransactionName(name),
    traceId: () => agent.getTraceMetadata().traceId,
    stop: () =>
      new Promise(resolve => {
        // The agent's own limit; the process does not wait longer for a collector that is away.
        agent.shutdown({ collectPendingData: true, timeout: 2_000 }, () => resolve());
      }),
  };
}
