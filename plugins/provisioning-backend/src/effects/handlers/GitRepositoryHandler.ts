import { access as probe, constants, statfs } from 'node:fs/promises';
import type { AuthService } from '@backstage/backend-plugin-api';
import { ConflictError } from '@backstage/errors';
import {
  provisioningCreatePermission,
  provisioningOperatePermission,
  type Effect,
  type Observation,
  type PreflightFinding,
} from '@rocket/plugin-provisioning-common';
import type {
  EffectContext,
  EffectHandler,
  UndoResult,
} from '@rocket/plugin-provisioning-node';
import type { JsonObject } from '@backstage/types';
import { z } from 'zod';
import type { GitHost } from '../../git/GitHost';
import type { Access } from '../../service/Access';
import { plainText } from '../../service/http';
import { assertServiceName } from '../../service/names';
import type { RepositoryService } from '../../service/RepositoryService';
import { parseIntent } from './intent';

/** A repository needs little, but a full disk breaks all of them. */
const MIN_FREE_BYTES = 64 * 1024 * 1024;

const SHA = z.string().regex(/^([0-9a-f]{40}|[0-9a-f]{64})$/, 'must be a SHA');
const intentSchema = z.strictObject({
  description: plainText(500).optional(),
  /** What the run pushes, so that undo knows its own commit from others. */
  commit: SHA.optional(),
  tree: SHA.optional(),
});

type RepositoryEffect = Pick<
  Effect,
  'reference' | 'intent' | 'subject' | 'owner' | 'environment'
>;

/**
 * A repository on Rocket's own Git host; the reference is its name, its mark
 * the run in the repository's row. Without another one's commits undo deletes
 * it; retirement makes it read-only.
 */
export class GitRepositoryHandler implements EffectHandler {
  readonly type = 'git.repository';
  readonly title = 'Git repository';
  readonly retireOrder = 50;
  readonly exclusive = true;
  readonly #repositories: RepositoryService;
  readonly #host: GitHost;
  readonly #access: Access;
  readonly #auth: AuthService;
  readonly #minFreeBytes: number;

  constructor(deps: {
    repositories: RepositoryService;
    host: GitHost;
    access: Access;
    auth: AuthService;
    /** Free space that the Git host's disk must have. Default: 64 MiB. */
    minFreeBytes?: number;
  }) {
    this.#repositories = deps.repositories;
    this.#host = deps.host;
    this.#access = deps.access;
    this.#auth = deps.auth;
    this.#minFreeBytes = deps.minFreeBytes ?? MIN_FREE_BYTES;
  }

  checkReference(reference: string) {
    assertServiceName(reference, 'reference');
  }

  parseIntent(intent: JsonObject) {
    return parseIntent(intentSchema, intent);
  }

  describeRetirement({ reference }: Pick<Effect, 'reference'>) {
    return `Archives the repository ${reference}: it can be read, and nobody can push to it any more`;
  }

  describeUndo({ reference }: Pick<Effect, 'reference'>) {
    return `Deletes the repository ${reference}, unless somebody pushed to it since`;
  }

  async preflight(
    request: RepositoryEffect,
    context: EffectContext,
  ): Promise<PreflightFinding[]> {
    const subject = `repository ${request.reference}`;
    const error = (reason: string, message: string): PreflightFinding => ({
      reason,
      level: 'error',
      subject,
      message,
    });
    const findings: PreflightFinding[] = [];
    const { record, exists } = await this.#repositories.inspect(
      request.reference,
    );
    if (record || exists) {
      findings.push(
        error(
          'name-taken',
          `There is a repository '${request.reference}' already${
            record ? `; it belongs to ${record.owner}` : ''
          }; choose another name`,
        ),
      );
    }
    for (const permission of [
      provisioningCreatePermission,
      provisioningOperatePermission,
    ]) {
      try {
        await this.#access.authorize(
          context.credentials ?? (await this.#auth.getOwnServiceCredentials()),
          permission,
        );
      } catch (problem) {
        if ((problem as Error).name !== 'NotAllowedError') throw problem;
        findings.push(
          error(
            'credentials-insufficient',
            `${
              (problem as Error).message
            }, which creating a repository and pushing to it needs; ask an administrator for it`,
          ),
        );
      }
    }
    findings.push(...(await this.#checkDisk(error)));
    return findings;
  }

  async #checkDisk(
    error: (reason: string, message: string) => PreflightFinding,
  ): Promise<PreflightFinding[]> {
    try {
      await probe(this.#host.root, constants.W_OK | constants.X_OK);
    } catch {
      return [
        error(
          'storage-not-writable',
          "The Git host's directory cannot be written; an administrator has to mend it",
        ),
      ];
    }
    const { bavail, bsize } = await statfs(this.#host.root);
    const free = bavail * bsize;
    return free < this.#minFreeBytes
      ? [
          error(
            'storage-full',
            `The Git host has ${Math.floor(
              free / 1024 / 1024,
            )} MiB left; an administrator has to make room`,
          ),
        ]
      : [];
  }

  async apply(effect: Effect, context: EffectContext): Promise<JsonObject> {
    const { record } = await this.#repositories.inspect(effect.reference);
    if (record && record.requestId !== effect.run) {
      throw new ConflictError(
        `The repository '${effect.reference}' exists, belongs to ${record.owner} and is not of this run; choose another name`,
      );
    }
    const { cloneUrl, defaultBranch } = await this.#repositories.create(
      {
        name: effect.reference,
        owner: effect.owner,
        description: effect.intent.description as string | undefined,
        requestId: effect.run,
      },
      context.credentials ?? (await this.#auth.getOwnServiceCredentials()),
    );
    return { cloneUrl, defaultBranch };
  }

  async observe(effect: Effect): Promise<Observation> {
    const { record, exists } = await this.#repositories.inspect(
      effect.reference,
    );
    const observedAt = new Date().toISOString();
    if (!record && !exists) return { state: 'absent', observedAt };
    const differences = [
      ...(record && exists
        ? []
        : [
            {
              field: record ? 'files' : 'entry',
              intended: 'there',
              found: 'missing',
            },
          ]),
      ...(record && record.owner !== effect.owner
        ? [{ field: 'owner', intended: effect.owner, found: record.owner }]
        : []),
      ...(record?.archivedAt
        ? [{ field: 'archived', intended: 'no', found: record.archivedAt }]
        : []),
    ];
    return differences.length
      ? { state: 'drifted', differences, observedAt }
      : { state: 'present', observedAt };
  }

  async remove(effect: Effect, mode: 'undo' | 'retire'): Promise<UndoResult> {
    const name = effect.reference;
    if (mode === 'retire') {
      const archived = await this.#repositories.archive(name, effect.run);
      return {
        outcome: 'done',
        message: archived
          ? `The repository ${name} is archived: it can be read only`
          : `There is no repository ${name} of this run`,
      };
    }
    const { commit, tree } = effect.intent as Record<string, string>;
    const result = await this.#repositories.removeUntouched(name, effect.run, {
      commit,
      tree,
    });
    switch (result.outcome) {
      case 'touched':
        return {
          outcome: 'manual',
          instruction: `Somebody else pushed to the repository ${name} (${result.by}). Save what you need of it and ask an administrator to delete it, or keep it.`,
        };
      case 'foreign':
        return {
          outcome: 'done',
          message: `The repository ${name} is not of this run and was left alone`,
        };
      default:
        return { outcome: 'done' };
    }
  }
}
