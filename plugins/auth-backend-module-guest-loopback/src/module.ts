import {
  coreServices,
  createBackendModule,
} from '@backstage/backend-plugin-api';
import { NotAllowedError } from '@backstage/errors';
import {
  authProvidersExtensionPoint,
  createProxyAuthenticator,
  createProxyAuthProviderFactory,
} from '@backstage/plugin-auth-node';
import { refusalReason } from './loopback';

const loopbackGuestAuthenticator = createProxyAuthenticator({
  defaultProfileTransform: async () => ({ profile: {} }),
  initialize() {},
  async authenticate({ req }) {
    const reason = refusalReason(req);
    if (reason) {
      throw new NotAllowedError(
        `Guest sign-in works only on the machine that runs Rocket: ${reason}. ` +
          'Open the portal there as http://localhost, or configure a sign-in provider such as GitHub or OIDC (auth.providers).',
      );
    }
    return { result: {} };
  },
});

/** Registers the `guest` provider unless its configuration is absent or null. */
export const authModuleGuestLoopback = createBackendModule({
  pluginId: 'auth',
  moduleId: 'guest-loopback',
  register(reg) {
    reg.registerInit({
      deps: {
        providers: authProvidersExtensionPoint,
        config: coreServices.rootConfig,
      },
      async init({ providers, config }) {
        const userEntityRef =
          config.getOptionalString('auth.providers.guest.userEntityRef') ??
          'user:default/guest';
        providers.registerProvider({
          providerId: 'guest',
          factory: createProxyAuthProviderFactory({
            authenticator: loopbackGuestAuthenticator,
            signInResolver: async (_, ctx) =>
              ctx.signInWithCatalogUser({ entityRef: userEntityRef }),
          }),
        });
      },
    });
  },
});
