import { mockServices } from '@backstage/backend-test-utils';
import { ScmIntegrations } from '@backstage/integration';
import { RocketTechdocsGenerator } from './RocketTechdocsGenerator';

it('says what is missing and the way out when there is no mkdocs', async () => {
  const config = mockServices.rootConfig({
    data: { techdocs: { generator: { runIn: 'local' } } },
  });
  const generator = new RocketTechdocsGenerator({
    config,
    logger: mockServices.logger.mock(),
    scmIntegrations: ScmIntegrations.fromConfig(config),
  });
  const path = process.env.PATH;
  process.env.PATH = '/nowhere';
  try {
    await expect(generator.run({} as any)).rejects.toThrow(
      /needs mkdocs-techdocs-core.*Python 3.*Everything else works/,
    );
  } finally {
    process.env.PATH = path;
  }
});
