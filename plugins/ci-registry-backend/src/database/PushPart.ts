import type { Entity } from '@backstage/catalog-model';
import type {
  ApiDocumentReport,
  BuildReport,
  DeploymentReport,
  PushProblem,
  PushResponse,
  PushSource,
  PusherIdentity,
} from '@rocket/plugin-ci-registry-common';
import type { Knex } from 'knex';

/** What every part of a push is stored with. */
export interface PushContext {
  /**
   * The push's own transaction. It is committed when every part is written, rolled back when one of them throws, and done again
   * from the start when another writer got in between: nothing may happen outside of it.
   */
  tx: Knex.Transaction;
  /** Repository normalized, commit in lower case, time not ahead of `now`. */
  source: PushSource;
  identity: PusherIdentity;
  /** ms since 1970. */
  now: number;
}

/** What is known before a push is stored, and all that `POST /validate` knows. */
export type PushCheckContext = Omit<PushContext, 'tx'>;

/**
 * One part of a push. The request has the shape of `pushRequestSchema` when it gets here; a part checks what a shape cannot say.
 */
export interface PushPart<Reports, Results> {
  /**
   * What is wrong with these reports. `field` is the path into the request, for example `builds.0.finishedAt`. A push with an
   * `error` among them is refused with 400. Stores nothing, and is called for `POST /validate` as well.
   */
  check?(reports: Reports, context: PushCheckContext): Promise<PushProblem[]>;
  /**
   * Stores the reports; the results are in the order of the reports. The same reports twice change nothing. `ConflictError` when
   * they are another repository's.
   */
  write(context: PushContext, reports: Reports): Promise<Results>;
  /**
   * After the commit, for what may be lost with the process (notifications, waking somebody). It is not waited for; what it
   * throws is logged.
   */
  committed?(context: PushCheckContext, results: Results): Promise<void>;
}

export interface DeliveryReports {
  builds: BuildReport[];
  deployments: DeploymentReport[];
}

export type DeliveryResults = Pick<PushResponse, 'builds' | 'deployments'>;

/** Builds and deployments. */
export type DeliveryWriter = PushPart<DeliveryReports, DeliveryResults>;

/** API documents. */
export interface DocumentWriter
  extends PushPart<ApiDocumentReport[], PushResponse['documents']> {
  /**
   * The API entities that belong to these documents. They are checked and stored as if they were pushed, in the same
   * transaction before `write`. `pushed` are the entities that the push holds itself, by entity ref: a document of one of
   * them answers that entity with its definition. `stored` are those the registry has already.
   */
  entities(
    reports: ApiDocumentReport[],
    known: { pushed: Map<string, Entity>; stored: Map<string, Entity> },
    context: PushCheckContext,
  ): Promise<Entity[]>;
}

/** The parts that a push can have beside entities. */
export interface PushParts {
  delivery?: DeliveryWriter;
  documents?: DocumentWriter;
}
