import {
  coreServices,
  createBackendModule,
} from '@backstage/backend-plugin-api';
import { policyExtensionPoint } from '@backstage/plugin-permission-node/alpha';
import { RocketPermissionPolicy } from './policy';

/** Sets Rocket's permission policy. */
export const permissionModuleRocketPolicy = createBackendModule({
  pluginId: 'permission',
  moduleId: 'rocket-policy',
  register(reg) {
    reg.registerInit({
      deps: {
        policy: policyExtensionPoint,
        userInfo: coreServices.userInfo,
        config: coreServices.rootConfig,
      },
      async init({ policy, userInfo, config }) {
        policy.setPolicy(
          new RocketPermissionPolicy({
            userInfo,
            administrators:
              config.getOptionalStringArray(
                'permission.rocket.administrators',
              ) ?? [],
          }),
        );
      },
    });
  },
});
