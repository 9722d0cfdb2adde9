import {
  type BackstageCredentials,
  coreServices,
  createServiceFactory,
  createServiceRef,
} from '@backstage/backend-plugin-api';
import type {
  AcknowledgeRequest,
  BuildPage,
  ClaimedChanges,
  PushRequest,
  PushResponse,
  RegisterRequest,
  RegisterResponse,
  RegisteredEntity,
  RegisteredEntityPage,
  ValidateResponse,
} from '@rocket/plugin-ci-registry-common';
import { HttpCiRegistryService } from './HttpCiRegistryService';

/** How other backend plugins push into the registry; the calls act for `credentials`. */
export interface CiRegistryService {
  /**
   * Everything at once: entities, what is gone, builds, deployments and API documents. Stored when it returns, all of it or
   * nothing. `InputError` names the fields, `ConflictError` the repository that holds something.
   */
  push(
    request: PushRequest,
    options: { credentials: BackstageCredentials },
  ): Promise<PushResponse>;
  /** What a push would be told; stores nothing. */
  validate(
    request: PushRequest,
    options: { credentials: BackstageCredentials },
  ): Promise<ValidateResponse>;
  /** Entities only. Durable when it returns; in the catalog moments later. `ConflictError` names the repository that holds an entity. */
  register(
    request: RegisterRequest,
    options: { credentials: BackstageCredentials },
  ): Promise<RegisterResponse>;
  /** Undefined when it was never pushed. */
  getEntity(
    entityRef: string,
    options: { credentials: BackstageCredentials },
  ): Promise<RegisteredEntity | undefined>;
  /** One page, ordered by entity ref. */
  listEntities(
    request: { cursor?: string; limit?: number; repository?: string },
    options: { credentials: BackstageCredentials },
  ): Promise<RegisteredEntityPage>;
  /** Builds as their pipelines reported them, the newest first; one page. */
  listBuilds(
    request: { component?: string; commit?: string; cursor?: string },
    options: { credentials: BackstageCredentials },
  ): Promise<BuildPage>;
  /** For the catalog only: takes up to `limit` waiting changes for a few seconds. */
  claimChanges(
    request: { limit?: number },
    options: { credentials: BackstageCredentials },
  ): Promise<ClaimedChanges>;
  /** For the catalog only: these are stored. What changed meanwhile stays waiting. */
  acknowledgeChanges(
    request: AcknowledgeRequest,
    options: { credentials: BackstageCredentials },
  ): Promise<void>;
  /** For the catalog only: puts every entity in the queue once more, behind new changes. */
  repeatChanges(options: {
    credentials: BackstageCredentials;
  }): Promise<{ queued: number }>;
}

/** The registry over HTTP, wherever discovery finds it. */
export const ciRegistryServiceRef = createServiceRef<CiRegistryService>({
  id: 'ci-registry.service',
  defaultFactory: async service =>
    createServiceFactory({
      service,
      deps: { auth: coreServices.auth, discovery: coreServices.discovery },
      factory: deps => new HttpCiRegistryService(deps),
    }),
});
