import type { AuthService } from '@backstage/backend-plugin-api';
import type { ServiceState } from '@rocket/plugin-provisioning-common';
import type { ProvisioningService } from '@rocket/plugin-provisioning-node';
import type {
  RunningComponent,
  RunningComponentsProvider,
} from '@rocket/plugin-ci-registry-node';

/** On the way up or back is not stopped. */
const ALIVE: readonly ServiceState[] = [
  'healthy',
  'unhealthy',
  'restarting',
  'deploying',
];

/** Services that Rocket runs itself. */
export class LocalRuntimeProvider implements RunningComponentsProvider {
  readonly id = 'local-runtime';
  readonly title = "Rocket's own runtime";
  readonly #provisioning: Pick<ProvisioningService, 'listServices'>;
  readonly #auth: AuthService;

  constructor(options: {
    provisioning: Pick<ProvisioningService, 'listServices'>;
    auth: AuthService;
  }) {
    this.#provisioning = options.provisioning;
    this.#auth = options.auth;
  }

  async list(): Promise<RunningComponent[]> {
    const services = await this.#provisioning.listServices({
      credentials: await this.#auth.getOwnServiceCredentials(),
    });
    return services.map(({ name, entityRef, state, message }) => ({
      name,
      entityRef: entityRef.toLocaleLowerCase('en-US'),
      running: ALIVE.includes(state),
      detail: message ? `${state}: ${message}` : state,
    }));
  }
}
