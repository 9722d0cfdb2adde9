import { ConflictError, InputError } from '@backstage/errors';
import type {
  BuildReport,
  CommitReport,
  DeploymentReport,
  PushProblem,
  PushResponse,
} from '@rocket/plugin-ci-registry-common';
import type {
  DeliveryReports,
  DeliveryResults,
  DeliveryWriter,
  PushCheckContext,
  PushContext,
} from '../PushPart';
import { checkOrder, checkReports } from './checkReports';
import { mergeReport, valuesOf, type Fields } from './fields';
import {
  buildIdOf,
  type BuildRow,
  type DeploymentRow,
  type OutboxRow,
} from './rows';

/** Commits that one head is known to contain, at most. */
const MAX_CONTENTS = 1000;

type Outcome = PushResponse['builds'][number]['outcome'];

/** Stores builds and deployments in the transaction of their push. */
export class DatabaseDeliveryWriter implements DeliveryWriter {
  readonly #liveEnvironments: ReadonlySet<string>;
  readonly #stored: () => void;

  constructor(options: {
    /** Environments whose deployments the critical paths hear of. */
    liveEnvironments: string[];
    /** Called after the commit, when there may be something to tell the critical paths. */
    stored?: () => void;
  }) {
    this.#liveEnvironments = new Set(options.liveEnvironments);
    this.#stored = options.stored ?? (() => {});
  }

  async check(
    reports: DeliveryReports,
    { now }: PushCheckContext,
  ): Promise<PushProblem[]> {
    return checkReports(reports, now);
  }

  async write(
    context: PushContext,
    { builds, deployments }: DeliveryReports,
  ): Promise<DeliveryResults> {
    await this.#hold(context, [...builds, ...deployments]);
    const results: DeliveryResults = { builds: [], deployments: [] };
    for (const [index, build] of builds.entries()) {
      const id = buildIdOf(
        build.component,
        context.source.commit,
        context.source.pipeline,
      );
      const outcome = await this.#writeBuild(context, index, id, build);
      results.builds.push({ id, component: build.component, outcome });
    }
    for (const [index, deployment] of deployments.entries()) {
      const outcome = await this.#writeDeployment(context, index, deployment);
      const { id, component } = deployment;
      results.deployments.push({ id, component, outcome });
    }
    return results;
  }

  async committed(_: PushCheckContext, results: DeliveryResults) {
    if (
      results.deployments.some(
        ({ outcome }) => outcome === 'created' || outcome === 'updated',
      )
    ) {
      this.#stored();
    }
  }

  /** Only one repository reports on a component: the one that registered it, else the one that reported first. */
  async #hold(
    { tx, source, now }: PushContext,
    reports: { component: string }[],
  ): Promise<void> {
    const components = [...new Set(reports.map(r => r.component))].sort();
    if (components.length === 0) {
      return;
    }
    await tx('delivery_components')
      .insert(
        components.map(component => ({
          component,
          repository: source.repository,
          first_reported_at: now,
        })),
      )
      .onConflict('component')
      .ignore();
    // The lock makes reports of one component wait for each other.
    const held: { component: string; repository: string }[] = await tx(
      'delivery_components',
    )
      .whereIn('component', components)
      .orderBy('component')
      .forUpdate();
    const registered = new Map<string, string>(
      (
        await tx('entities')
          .whereIn('entity_ref', components)
          .whereNot('state', 'removed')
          .select('entity_ref', 'repository')
      ).map(row => [row.entity_ref, row.repository]),
    );
    for (const { component, repository } of held) {
      const holder = registered.get(component) ?? repository;
      if (holder !== source.repository) {
        throw new ConflictError(
          `${component} belongs to ${holder}, but this push is from ${source.repository}. Name the repository that holds the component as source.repository; nothing was stored`,
        );
      }
      if (repository !== holder) {
        await tx('delivery_components')
          .where({ component })
          .update({ repository: holder });
      }
    }
  }

  async #writeBuild(
    context: PushContext,
    index: number,
    id: string,
    build: BuildReport,
  ): Promise<Outcome> {
    const { tx, source, now } = context;
    const time = Date.parse(source.time);
    const row = await tx<BuildRow>('builds').where({ id }).first();
    const before: Fields = row ? JSON.parse(row.fields) : {};
    const { fields, outcome, touched } = mergeReport(before, build, time);
    const values = valuesOf(fields);
    checkOrder(`builds.${index}`, values);
    const data = {
      branch: source.branch ?? row?.branch ?? null,
      time: values.startedAt
        ? Date.parse(String(values.startedAt))
        : Number(row?.time ?? time),
      fields: JSON.stringify(fields),
    };
    if (!row) {
      await tx<BuildRow>('builds').insert({
        id,
        component: build.component,
        commit: source.commit,
        repository: source.repository,
        pipeline: source.pipeline ?? null,
        first_reported_at: now,
        last_reported_at: now,
        ...data,
      });
    } else if (touched) {
      await tx<BuildRow>('builds')
        .where({ id })
        .update({ ...data, last_reported_at: now });
    }
    if (!row || outcome === 'updated') {
      await this.#addCommits(
        context,
        build.component,
        source.commit,
        build.commits,
      );
    }
    return row ? outcome : 'created';
  }

  async #writeDeployment(
    context: PushContext,
    index: number,
    deployment: DeploymentReport,
  ): Promise<Outcome> {
    const { tx, source, identity, now } = context;
    const { component, id, environment } = deployment;
    const row = await tx<DeploymentRow>('deployments')
      .where({ component, id })
      .first();
    if (row && row.environment !== environment) {
      throw new InputError(
        `deployments.${index}.environment: deployment ${id} of ${component} is one to ${row.environment}, not to ${environment}; choose another id`,
      );
    }
    const { fields, outcome, touched } = mergeReport(
      row ? JSON.parse(row.fields) : {},
      deployment,
      Date.parse(source.time),
    );
    const values = valuesOf(fields);
    checkOrder(`deployments.${index}`, values);
    const commit = String(values.commit ?? row?.commit ?? source.commit);
    const data = {
      commit,
      outcome: String(values.outcome),
      started_at: Date.parse(String(values.startedAt)),
      finished_at:
        values.finishedAt === undefined
          ? null
          : Date.parse(String(values.finishedAt)),
      branch: source.branch ?? row?.branch ?? null,
      pipeline: source.pipeline ?? row?.pipeline ?? null,
      fields: JSON.stringify(fields),
    };
    if (!row) {
      await tx<DeploymentRow>('deployments').insert({
        component,
        id,
        environment,
        repository: source.repository,
        reported_by: identity.subject,
        first_reported_at: now,
        last_reported_at: now,
        ...data,
      });
    } else if (touched) {
      await tx<DeploymentRow>('deployments')
        .where({ component, id })
        .update({
          ...data,
          ...(outcome === 'updated' ? { reported_by: identity.subject } : {}),
          last_reported_at: now,
        });
    }
    if (row && outcome !== 'updated') {
      return outcome;
    }
    await this.#addCommits(context, component, commit, deployment.commits);
    if (this.#liveEnvironments.has(environment)) {
      await tx<OutboxRow>('delivery_outbox')
        .insert({
          component,
          id,
          revision: 1,
          attempts: 0,
          next_attempt_at: now,
          last_error: null,
        })
        .onConflict(['component', 'id'])
        .merge({
          revision: tx.raw('?? + 1', ['delivery_outbox.revision']) as never,
          attempts: 0,
          next_attempt_at: now,
        });
    }
    return row ? 'updated' : 'created';
  }

  /** Notes what `head` contains: what was reported to come with it, and its ancestors down to one whose contents are known. */
  async #addCommits(
    { tx, source, now }: PushContext,
    component: string,
    head: string,
    commits: CommitReport[] = [],
  ): Promise<void> {
    for (let i = 0; i < commits.length; i += 100) {
      await tx('delivery_commits')
        .insert(
          commits.slice(i, i + 100).map(commit => ({
            component,
            sha: commit.sha,
            time: Date.parse(commit.time),
            subject: commit.subject ?? null,
            author: commit.author ?? null,
          })),
        )
        .onConflict(['component', 'sha'])
        .ignore();
    }
    const row = await tx('delivery_contents')
      .where({ component, head })
      .first('commits');
    const known: string[] = row ? JSON.parse(row.commits) : [];
    const contents = new Set([...known, ...commits.map(({ sha }) => sha)]);
    if (head === source.commit && source.ancestors?.length) {
      const heads = new Set<string>(
        (
          await tx('delivery_contents')
            .where({ component })
            .whereIn('head', source.ancestors)
            .select('head')
        ).map(one => one.head),
      );
      const end = source.ancestors.findIndex(sha => heads.has(sha));
      source.ancestors
        .slice(0, end === -1 ? undefined : end + 1)
        .forEach(sha => contents.add(sha));
    }
    contents.delete(head);
    // With commits it is written again even so: readers see by its time that something was added.
    if (row && contents.size === known.length && commits.length === 0) {
      return;
    }
    await tx('delivery_contents')
      .insert({
        component,
        head,
        commits: JSON.stringify([...contents].slice(0, MAX_CONTENTS)),
        reported_at: now,
      })
      .onConflict(['component', 'head'])
      .merge(['commits', 'reported_at']);
  }
}
