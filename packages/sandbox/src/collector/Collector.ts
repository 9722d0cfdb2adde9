import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { HttpError, discardRest, parseJson, readBody, sendJson } from '../http';
import { accountOf } from '../ingest/keys';
import type { IngestStore, SandboxLogger } from '../ingest/types';
import { parseConnect, parseEvents, type AgentRun } from './payloads';

const PATH = '/agent_listener/invoke_raw_method';
const PROTOCOL = '17';
const MAX_RUNS = 10_000;

/** Methods whose payload is a list of events that we keep. */
const EVENT_METHODS = new Set([
  'analytic_event_data',
  'custom_event_data',
  'error_event_data',
  'span_event_data',
]);
/** Methods that are accepted and whose payload is dropped: nothing in Rocket reads it. */
const DROPPED_METHODS = new Set([
  'agent_settings',
  'metric_data',
  'error_data',
  'transaction_sample_data',
  'sql_trace_data',
  'log_event_data',
  'pprof_data',
  'update_loaded_modules',
]);

const ERROR_TYPES: Record<number, string> = {
  401: 'NewRelic::Agent::LicenseException',
  409: 'NewRelic::Agent::ForceRestartException',
};

/** What the protocol needs; see `CollectorOptions`. */
export interface ProtocolOptions {
  store: IngestStore;
  reportPeriodMs?: number;
  logger?: SandboxLogger;
}

/** The agent protocol, version 17: one request, one method. */
export class Collector {
  /** Where `preconnect` sends agents: host and port. */
  redirectHost = '';
  readonly #options: ProtocolOptions;
  readonly #now: () => number;
  readonly #runs = new Map<string, AgentRun>();

  constructor(options: ProtocolOptions, now: () => number) {
    this.#options = options;
    this.#now = now;
  }

  async handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    try {
      const answer = await this.#answer(req);
      if (answer.status === 202) {
        res.writeHead(202).end();
      } else {
        sendJson(res, 200, { return_value: answer.value });
      }
    } catch (error) {
      const status = error instanceof HttpError ? error.status : 500;
      if (status === 500) {
        this.#options.logger?.warn(
          `The agent collector could not handle a request: ${error}`,
        );
      }
      sendJson(res, status, {
        exception: {
          error_type: ERROR_TYPES[status] ?? 'RuntimeError',
          message: status === 500 ? 'Internal error' : (error as Error).message,
        },
      });
    } finally {
      discardRest(req);
    }
  }

  async #answer(
    req: IncomingMessage,
  ): Promise<{ status: 200 | 202; value?: unknown }> {
    const url = new URL(req.url ?? '/', 'https://collector');
    if (url.pathname !== PATH) {
      throw new HttpError(404, `There is only ${PATH} here`);
    }
    if (req.method !== 'POST' && req.method !== 'PUT') {
      throw new HttpError(405, 'Use POST');
    }
    const query = url.searchParams;
    const account = accountOf(
      this.#options.store,
      query.get('license_key') ?? undefined,
    );
    if (!account) {
      throw new HttpError(401, 'Invalid license key');
    }
    if (query.get('protocol_version') !== PROTOCOL) {
      throw new HttpError(400, `protocol_version must be ${PROTOCOL}`);
    }
    const method = query.get('method') ?? '';
    const body = await readBody(req, {
      maxBytes: 1_000_000,
      maxInflatedBytes: 32_000_000,
      timeoutMs: 30_000,
    });
    if (method === 'preconnect') {
      return { status: 200, value: { redirect_host: this.redirectHost } };
    }
    if (method === 'connect') {
      return { status: 200, value: this.#connect(account.id, parseJson(body)) };
    }
    const known =
      EVENT_METHODS.has(method) ||
      DROPPED_METHODS.has(method) ||
      method === 'get_agent_commands' ||
      method === 'agent_command_results' ||
      method === 'shutdown';
    if (!known) {
      throw new HttpError(404, 'The method is not known');
    }
    const runId = query.get('run_id') ?? '';
    const run = this.#runs.get(runId);
    if (!run || run.accountId !== account.id) {
      throw new HttpError(409, 'The agent run is not known; connect again');
    }
    if (EVENT_METHODS.has(method)) {
      const events = parseEvents(parseJson(body), run, this.#now());
      this.#options.store.append(account.id, events);
      return { status: 202 };
    }
    if (method === 'shutdown') {
      this.#runs.delete(runId);
      return { status: 200, value: null };
    }
    if (method === 'get_agent_commands') {
      return { status: 200, value: [] };
    }
    return method === 'agent_settings'
      ? { status: 200, value: null }
      : { status: 202 };
  }

  #connect(accountId: number, payload: unknown): unknown {
    const { store, logger } = this.#options;
    const agent = parseConnect(payload);
    const { guid, applicationId } = store.registerApplication({
      accountId,
      appName: agent.appName,
      language: agent.language,
      labels: agent.labels,
    });
    const runId = randomUUID();
    this.#runs.set(runId, { ...agent, accountId, guid, applicationId });
    // An agent whose run was forgotten is told to connect again.
    for (const oldest of this.#runs.keys()) {
      if (this.#runs.size <= MAX_RUNS) {
        break;
      }
      this.#runs.delete(oldest);
    }
    logger?.info(
      `A ${agent.language} agent reports as ${JSON.stringify(agent.appName)}`,
    );
    const reportPeriodMs = this.#options.reportPeriodMs ?? 2000;
    return {
      agent_run_id: runId,
      account_id: String(accountId),
      trusted_account_key: String(accountId),
      primary_application_id: String(applicationId),
      application_id: String(applicationId),
      entity_guid: guid,
      apdex_t: 0.5,
      collect_traces: false,
      collect_errors: true,
      collect_analytics_events: true,
      collect_error_events: true,
      collect_custom_events: true,
      collect_span_events: true,
      data_report_period: 60,
      sampling_target: 10,
      sampling_target_period_in_seconds: 60,
      max_payload_size_in_bytes: 1_000_000,
      event_harvest_config: {
        report_period_ms: reportPeriodMs,
        harvest_limits: {
          analytic_event_data: 5000,
          custom_event_data: 1000,
          error_event_data: 500,
          log_event_data: 0,
        },
      },
      span_event_harvest_config: {
        report_period_ms: reportPeriodMs,
        harvest_limit: 500,
      },
      messages: [
        {
          level: 'INFO',
          message: `Reporting to the Rocket sandbox, account ${accountId}`,
        },
      ],
    };
  }
}
