import type {
  BackstageCredentials,
  LoggerService,
} from '@backstage/backend-plugin-api';
import { toError } from '@backstage/errors';
import { nrql, type NewRelicService } from '@rocket/newrelic-node';
import type {
  Deployment,
  DeploymentPage,
} from '@rocket/plugin-ci-registry-common';
import type { Effect } from '@rocket/plugin-provisioning-common';
import type { ProvisioningService } from '@rocket/plugin-provisioning-node';
import type { EntitiesApi, FoundEntity } from './nerdgraph/entities';
import type { NerdGraph, Scope } from './nerdgraph/NerdGraph';

const HOUR_MS = 3_600_000;
/** New Relic takes times within 24 hours; an hour is left for clocks and retries. */
const OLDEST_MS = 23 * HOUR_MS;
const MOST_PAGES = 10;
const PAGE = 100;
/** NRQL has room for so many ids of at most 200 characters and their components. */
const LOOK_UP = 8;

const CREATE = `mutation RocketMarkDeployment($event: ChangeTrackingCreateEventInput!) {
  changeTrackingCreateEvent(changeTrackingEvent: $event) { changeTrackingEvent { changeTrackingId } messages }
}`;

/** One deployment with where its marker goes. */
interface Marker {
  id: string;
  deployment: Deployment;
  appName: string;
  account: string | undefined;
}

interface MarkersDeps {
  provisioning: Pick<ProvisioningService, 'listEffects'>;
  deployments: (cursor: string | undefined) => Promise<DeploymentPage>;
  newrelic: Pick<NewRelicService, 'query'>;
  nerdGraph: NerdGraph;
  entities: EntitiesApi;
  credentials: () => Promise<BackstageCredentials>;
  logger: LoggerService;
  now?: () => number;
}

/**
 * Marks in New Relic what Rocket's own runtimes deployed. Pipelines mark their
 * deployments themselves and are left alone. Nothing is kept here: the CI
 * registry knows what was deployed, New Relic what was marked, and each marker
 * carries the deployment's id in `groupId`.
 */
export class DeploymentMarkers {
  readonly #deps: MarkersDeps;
  /** Markers that are known to be there, with the time of their deployment. */
  readonly #done = new Map<string, number>();

  constructor(deps: MarkersDeps) {
    this.#deps = deps;
  }

  /** One round. Answers how many were marked; what fails is logged and tried again in the next. */
  async run(signal?: AbortSignal): Promise<number> {
    const since = (this.#deps.now ?? Date.now)() - OLDEST_MS;
    for (const [id, at] of this.#done) if (at < since) this.#done.delete(id);
    const open = (await this.#finished(since)).filter(
      deployment => !this.#done.has(markerId(deployment)),
    );
    if (open.length === 0) return 0;
    const effects = await this.#deps.provisioning.listEffects(
      { type: 'newrelic.alert-policy', state: ['live'] },
      { credentials: await this.#deps.credentials() },
    );
    const byAccount = new Map<string, Marker[]>();
    for (const deployment of open) {
      const effect = effectOf(deployment, effects);
      if (effect) {
        const { account, appName } = effect.intent;
        const key = String(account ?? '');
        byAccount.set(key, [
          ...(byAccount.get(key) ?? []),
          {
            id: markerId(deployment),
            deployment,
            appName: String(appName),
            account: key || undefined,
          },
        ]);
      }
    }
    let marked = 0;
    for (const [account, markers] of byAccount) {
      if (signal?.aborted) break;
      try {
        const scope = this.#deps.nerdGraph.scope(account || undefined, signal);
        marked += await this.#markAll(scope, markers);
      } catch (error) {
        this.#deps.logger.warn(
          `${
            markers.length
          } deployments could not be marked in New Relic yet: ${
            toError(error).message
          }`,
        );
      }
    }
    return marked;
  }

  async #markAll(scope: Scope, markers: Marker[]): Promise<number> {
    const names = [...new Set(markers.map(({ appName }) => appName))];
    const applications: FoundEntity[] = [];
    for (let i = 0; i < names.length; i += 50) {
      applications.push(
        ...(await this.#deps.entities.applications(
          scope,
          names.slice(i, i + 50),
        )),
      );
    }
    // Without an entity, or with two, there is nothing to mark: the next round looks again.
    const ready = markers.flatMap(marker => {
      const found = applications.filter(({ name }) => name === marker.appName);
      return found.length === 1 ? [{ ...marker, guid: found[0].guid }] : [];
    });
    let marked = 0;
    for (let i = 0; i < ready.length; i += LOOK_UP) {
      const batch = ready.slice(i, i + LOOK_UP);
      const there = await this.#marked(
        scope,
        batch.map(({ id }) => id),
      );
      for (const marker of batch) {
        if (!there.has(marker.id)) {
          await this.#mark(scope, marker);
          marked += 1;
        }
        this.#done.set(marker.id, finishedAt(marker.deployment));
      }
    }
    return marked;
  }

  /** Deployments of Rocket's runtimes that ended after a time. */
  async #finished(since: number): Promise<Deployment[]> {
    const found: Deployment[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < MOST_PAGES; page++) {
      const { items, nextCursor } = await this.#deps.deployments(cursor);
      for (const deployment of items) {
        if (isOwn(deployment) && finishedAt(deployment) >= since) {
          found.push(deployment);
        }
      }
      const last = items.at(-1);
      if (
        !nextCursor ||
        !last ||
        Date.parse(last.startedAt) < since - HOUR_MS
      ) {
        break;
      }
      cursor = nextCursor;
    }
    // The oldest first, as they happened.
    return found.reverse();
  }

  async #marked(scope: Scope, ids: string[]): Promise<Set<string>> {
    const [outcome] = await this.#deps.newrelic.query(
      scope.account.name,
      [
        {
          nrql: nrql`SELECT count(*) AS 'n' FROM ChangeTrackingEvent WHERE groupId IN ${ids} FACET groupId SINCE 25 hours ago LIMIT MAX`.toString(),
        },
      ],
      { signal: scope.signal },
    );
    if (!outcome.ok) throw outcome.error;
    return new Set(
      outcome.result.results.map(({ facet }) =>
        String(Array.isArray(facet) ? facet[0] : facet),
      ),
    );
  }

  async #mark(
    scope: Scope,
    { id, deployment, guid }: Marker & { guid: string },
  ) {
    const { component, environment, commit, version, outcome, reason, url } =
      deployment;
    await this.#deps.nerdGraph.change(scope, 'changeTrackingCreateEvent', {
      query: CREATE,
      variables: {
        event: {
          categoryAndTypeData: {
            kind: { category: 'deployment', type: 'blue green' },
            categoryFields: {
              deployment: {
                version: version || commit.slice(0, 12),
                commit,
                ...(url ? { deepLink: url } : {}),
              },
            },
          },
          entitySearch: { query: `id = '${guid}'` },
          user: 'rocket',
          shortDescription: `${component} to ${environment}: ${outcome}`,
          ...(reason ? { description: reason.slice(0, 1000) } : {}),
          groupId: id,
          timestamp: finishedAt(deployment),
          customAttributes: { environment, outcome },
        },
      },
    });
  }
}

/** Reports of provisioning name their runtime; those of pipelines name the pipeline. */
function isOwn({ pipeline, reportedBy, outcome, finishedAt: at }: Deployment) {
  return (
    Boolean(at) &&
    outcome !== 'in-progress' &&
    reportedBy === 'plugin:provisioning' &&
    /^[a-z0-9-]+-runtime:/.test(pipeline ?? '')
  );
}

function finishedAt(deployment: Deployment): number {
  return Date.parse(deployment.finishedAt ?? '') || 0;
}

function markerId({ component, id }: Deployment): string {
  return `rocket ${component} ${id}`;
}

/** The policy of the component in the deployment's environment, else the one without. */
function effectOf(
  { component, environment }: Deployment,
  effects: Effect[],
): Effect | undefined {
  const own = effects.filter(
    ({ subject }) => subject.toLowerCase() === component.toLowerCase(),
  );
  return (
    own.find(effect => effect.environment === environment) ??
    own.find(effect => effect.environment === undefined)
  );
}

export { PAGE as DEPLOYMENTS_PER_PAGE };
