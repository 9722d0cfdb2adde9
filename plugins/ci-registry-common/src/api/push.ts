import type { Entity } from '@backstage/catalog-model';
import type { BuildReport } from './builds';
import type { DeploymentReport } from './deployments';
import type { ApiDocumentReport, ApiDocumentVersion } from './documents';
import type { PushSource, RegisterOutcome } from './entities';

/**
 * Body of `POST /pushes`: everything a pipeline has to say, in one call or in several. All of it is stored or, when an error is
 * answered, nothing. The same push twice changes nothing.
 */
export interface PushRequest {
  source: PushSource;
  /** Catalog entities of the repository. */
  entities?: Entity[];
  /** True when `entities` are all entities of the repository: what it pushed earlier and does not name now is gone. */
  complete?: boolean;
  /** Entity refs that the repository gave up. */
  removed?: string[];
  builds?: BuildReport[];
  deployments?: DeploymentReport[];
  documents?: ApiDocumentReport[];
  /**
   * `job`: the job has nothing more to say; `run`: nor has any other job of the run. Tokens that were issued to it before are
   * refused from then on, so that a stolen one is worth nothing. The same push once more is still answered.
   */
  final?: 'job' | 'run';
}

export type ReportOutcome = 'created' | 'updated' | 'unchanged' | 'superseded';

/** Answer of `POST /pushes`; each list is in the order of the request. */
export interface PushResponse {
  entities: { entityRef: string; outcome: RegisterOutcome }[];
  /** Entities that are gone by this push; removed from the catalog after the grace time. */
  gone: string[];
  builds: { id: string; component: string; outcome: ReportOutcome }[];
  deployments: { id: string; component: string; outcome: ReportOutcome }[];
  documents: {
    api: string;
    outcome: ReportOutcome;
    version: ApiDocumentVersion;
  }[];
  /** What the pusher should know and need not stop for. */
  warnings: string[];
}

/** One thing that is wrong with a push. */
export interface PushProblem {
  /** Path into the request, for example `entities.0.spec.owner`. */
  field: string;
  message: string;
  severity: 'error' | 'warning';
}

/** Body of `POST /validate`: what `POST /pushes` takes; nothing is stored. */
export type ValidateRequest = PushRequest;

/** Answer of `POST /validate`: the errors for which `POST /pushes` would refuse it, and what else is doubtful. */
export interface ValidateResponse {
  valid: boolean;
  problems: PushProblem[];
}
