import type { AuthService } from '@backstage/backend-plugin-api';
import { InputError } from '@backstage/errors';
import type { CiRegistryService } from '@rocket/plugin-ci-registry-node';

/** Finds the image that a pipeline built of a commit. */
export class ServiceImages {
  readonly #registry: Pick<CiRegistryService, 'listBuilds'>;
  readonly #auth: AuthService;

  constructor(deps: {
    registry: Pick<CiRegistryService, 'listBuilds'>;
    auth: AuthService;
  }) {
    this.#registry = deps.registry;
    this.#auth = deps.auth;
  }

  /**
   * By digest, of the last build that succeeded.
   * @throws InputError when no pipeline registered one; ServiceUnavailableError when the registry is away.
   */
  async find(component: string, commit: string): Promise<string> {
    const { items } = await this.#registry.listBuilds(
      { component, commit },
      { credentials: await this.#auth.getOwnServiceCredentials() },
    );
    for (const build of items) {
      if (build.outcome !== 'succeeded') continue;
      const image = build.artifacts?.find(
        ({ type }) => type === 'container-image',
      );
      if (image) return `${image.name}@${image.digest}`;
    }
    throw new InputError(
      `No pipeline registered an image of ${component} at ${commit.slice(
        0,
        12,
      )}; wait for its build, or name one as input.image`,
    );
  }
}
