import { createHash } from 'node:crypto';
import { nrql, type NewRelicService } from '@rocket/newrelic-node';
import type {
  RunningComponent,
  RunningComponentsProvider,
} from '@rocket/plugin-ci-registry-node';

/** On a Component: its `appName` in New Relic. As critical-paths reads it. */
const ANNOTATION_NEWRELIC_APP = 'rocket.internal/newrelic-app';

const LAST_SEEN = 'lastSeen';

/** One query for all applications of an account: those with a transaction in the last hour, and the time of the last one. */
const QUERY = nrql`SELECT latest(timestamp) AS 'lastSeen' FROM Transaction FACET appName SINCE 60 minutes ago LIMIT MAX`;

/** `[a-z0-9-]`, at most 63 characters, and another one for every alias. */
function providerId(account: string): string {
  const id = `newrelic-${account}`;
  return /^[a-z0-9-]{1,63}$/.test(id)
    ? id
    : `newrelic-${createHash('sha256')
        .update(account)
        .digest('hex')
        .slice(0, 16)}`;
}

/** Applications that report to one New Relic account. */
export class NewRelicApplications implements RunningComponentsProvider {
  readonly id: string;
  readonly title: string;
  readonly annotation = ANNOTATION_NEWRELIC_APP;
  readonly #newrelic: Pick<NewRelicService, 'query'>;
  readonly #account: string;

  constructor(newrelic: Pick<NewRelicService, 'query'>, account: string) {
    this.#newrelic = newrelic;
    this.#account = account;
    this.id = providerId(account);
    this.title = `New Relic (${account})`;
  }

  async list(options: { signal: AbortSignal }): Promise<RunningComponent[]> {
    const [outcome] = await this.#newrelic.query(
      this.#account,
      [{ nrql: String(QUERY) }],
      options,
    );
    if (!outcome.ok) {
      throw outcome.error;
    }
    return outcome.result.results.flatMap(row => {
      const name = Array.isArray(row.facet) ? row.facet[0] : row.facet;
      const lastSeen = row[LAST_SEEN];
      return typeof name === 'string' && name && typeof lastSeen === 'number'
        ? [{ name, running: true, lastSeenAt: new Date(lastSeen) }]
        : [];
    });
  }
}
