import type { Entity } from '@backstage/catalog-model';
import { ConfigReader } from '@backstage/config';
import { ScmIntegrations } from '@backstage/integration';
import { FetchBaseProcessor } from './FetchBaseProcessor';

const integrations = ScmIntegrations.fromConfig(
  new ConfigReader({
    integrations: {
      gitlab: [
        {
          host: 'gitlab.example',
          apiBaseUrl: 'https://gitlab.example/api/v4',
          baseUrl: 'https://gitlab.example',
        },
      ],
    },
  }),
);
const processor = new FetchBaseProcessor(integrations);

function template(annotations?: Record<string, string>): Entity {
  return {
    apiVersion: 'scaffolder.backstage.io/v1beta3',
    kind: 'Template',
    metadata: { name: 'ledger', ...(annotations && { annotations }) },
  };
}

const ASKING = { 'rocket.internal/fetch-base': '../all.yaml', other: 'kept' };
const FILE = { type: 'file', target: '/repo/templates/ledger/template.yaml' };

async function sourceOf(entity: Entity, location = FILE) {
  const result = await processor.preProcessEntity(entity, location);
  return result.metadata.annotations?.['backstage.io/source-location'];
}

describe('FetchBaseProcessor', () => {
  it.each([
    ['file', FILE.target, 'file:/repo/templates/all.yaml'],
    [
      'url',
      'https://github.com/acme/rocket/blob/main/templates/ledger/template.yaml',
      'url:https://github.com/acme/rocket/tree/main/templates/all.yaml',
    ],
    [
      'url',
      'https://gitlab.example/acme/rocket/-/blob/main/templates/ledger/template.yaml',
      'url:https://gitlab.example/acme/rocket/-/blob/main/templates/all.yaml',
    ],
  ])('finds the base of a %s location %s', async (type, target, expected) => {
    expect(await sourceOf(template(ASKING), { type, target })).toBe(expected);
  });

  it('goes up to three folders and keeps the other annotations and the input', async () => {
    const entity = template({
      ...ASKING,
      'rocket.internal/fetch-base': '../../x.yaml',
    });
    const before = JSON.stringify(entity);
    const result = await processor.preProcessEntity(entity, FILE);
    expect(result.metadata.annotations).toMatchObject({
      other: 'kept',
      'backstage.io/source-location': 'file:/repo/x.yaml',
    });
    expect(JSON.stringify(entity)).toBe(before);
  });

  it.each([
    ['without the annotation', template()],
    ['with other annotations only', template({ other: 'x' })],
    ['of another kind', { ...template(ASKING), kind: 'Component' }],
  ])('leaves an entity %s alone', async (_what, entity) => {
    expect(await processor.preProcessEntity(entity, FILE)).toBe(entity);
  });

  it('leaves a source location that was set by hand', async () => {
    const own = 'url:https://github.com/acme/skeletons/tree/v1/';
    const entity = template({
      ...ASKING,
      'backstage.io/source-location': own,
    });
    expect(await sourceOf(entity)).toBe(own);
  });

  it('leaves places that it cannot resolve to the catalog', async () => {
    expect(
      await sourceOf(template(ASKING), { type: 'test', target: 'x' }),
    ).toBeUndefined();
  });

  it.each(['all.yaml', '/etc/passwd', '..', '../', '../../../../x', '../a/b'])(
    'refuses %s and says what it should be',
    async bad => {
      const entity = template({ 'rocket.internal/fetch-base': bad });
      await expect(sourceOf(entity)).rejects.toThrow(
        `rocket.internal/fetch-base must be a file in a folder above the template, for example ../all.yaml, was "${bad}"`,
      );
    },
  );
});
