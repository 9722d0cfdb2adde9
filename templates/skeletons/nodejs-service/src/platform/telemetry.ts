/**
 * Loaded before everything else: `node --import ./src/telemetry.ts src/main.ts`.
 * Sets the agent's defaults; the environment wins. Without a licence key the agent stays off and is not even loaded.
 */
const env = process.env;
const name = env.ROCKET_SERVICE_NAME ?? env.NEW_RELIC_APP_NAME;

if (!env.NEW_RELIC_LICENSE_KEY || !name) env.NEW_RELIC_ENABLED = 'false';

if (env.NEW_RELIC_ENABLED !== 'false') {
  const labels = env.ROCKET_CRITICAL_PATH ? { NEW_RELIC_LABELS: `CriticalPath:${env.ROCKET_CRITICAL_PATH}` } : {};
  const defaults: Record<string, string> = {
    ...labels,
    NEW_RELIC_APP_NAME: name!,
    NEW_RELIC_NO_CONFIG_FILE: 'true',
    NEW_RELIC_DISTRIBUTED_TRACING_ENABLED: 'true',
    // A refusal is an answer, not an error.
    NEW_RELIC_ERROR_COLLECTOR_IGNORE_ERROR_CODES: '400-499',
    // Probes, scrapes and pages for people are not work.
    NEW_RELIC_IGNORING_RULES: '^/healthz$,^/readyz$,^/metrics$,^/docs(/|$),^/openapi[.]json$,^/problems/',
    // Log lines and SQL values stay here.
    NEW_RELIC_APPLICATION_LOGGING_FORWARDING_ENABLED: 'false',
    NEW_RELIC_RECORD_SQL: 'obfuscated',
    NEW_RELIC_LOG: 'stdout',
    NEW_RELIC_LOG_LEVEL: 'warn',
  };
  for (const [key, value] of Object.entries(defaults)) env[key] ??= value;
  // @ts-expect-error the package has no types for its loader
  await import('newrelic/esm-loader.mjs');
  await import('newrelic');
}

export {};
