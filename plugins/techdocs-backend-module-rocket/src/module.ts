import {
  coreServices,
  createBackendModule,
} from '@backstage/backend-plugin-api';
import { ScmIntegrations } from '@backstage/integration';
import {
  techdocsGeneratorExtensionPoint,
  techdocsPreparerExtensionPoint,
  UrlPreparer,
} from '@backstage/plugin-techdocs-node';
import { provisioningServiceRef } from '@rocket/plugin-provisioning-node';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocalGitPreparer } from './LocalGitPreparer';
import { RocketTechdocsGenerator } from './RocketTechdocsGenerator';

/** Docs from the local Git host; a clear word where no generator is installed. */
export const techdocsModuleRocket = createBackendModule({
  pluginId: 'techdocs',
  moduleId: 'rocket',
  register(reg) {
    reg.registerInit({
      deps: {
        generators: techdocsGeneratorExtensionPoint,
        preparers: techdocsPreparerExtensionPoint,
        provisioning: provisioningServiceRef,
        auth: coreServices.auth,
        config: coreServices.rootConfig,
        logger: coreServices.logger,
        reader: coreServices.urlReader,
      },
      async init({
        generators,
        preparers,
        provisioning,
        auth,
        config,
        logger,
        reader,
      }) {
        generators.setTechdocsGenerator(
          new RocketTechdocsGenerator({
            logger,
            config,
            scmIntegrations: ScmIntegrations.fromConfig(config),
          }),
        );
        preparers.registerPreparer(
          'url',
          new LocalGitPreparer({
            stock: UrlPreparer.fromConfig({ logger, reader }),
            provisioning,
            auth,
            workDir: join(
              config.getOptionalString('backend.workingDirectory') ?? tmpdir(),
              'rocket-docs',
            ),
          }),
        );
      },
    });
  },
});
