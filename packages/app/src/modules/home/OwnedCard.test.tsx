import { mockApis, renderInTestApp } from '@backstage/frontend-test-utils';
import { catalogApiMock } from '@backstage/plugin-catalog-react/testUtils';
import { catalogApiRef, entityRouteRef } from '@backstage/plugin-catalog-react';
import { screen } from '@testing-library/react';
import { OwnedCard } from './OwnedCard';

const component = (name: string) => ({
  apiVersion: 'backstage.io/v1alpha1',
  kind: 'Component',
  metadata: { name, namespace: 'default' },
  spec: { type: 'service', lifecycle: 'production', owner: 'ledger' },
});
const identity = mockApis.identity({
  userEntityRef: 'user:default/ann',
  ownershipEntityRefs: ['user:default/ann', 'group:default/ledger'],
});
const render = (catalog: any) =>
  renderInTestApp(<OwnedCard />, {
    apis: [identity, catalog] as any,
    mountedRoutes: { '/catalog/:namespace/:kind/:name': entityRouteRef },
  });

describe('OwnedCard', () => {
  it('lists what the reader and their groups own', async () => {
    const queryEntities = jest.fn(async () => ({
      items: [component('transaction-service')],
      totalItems: 1,
    }));
    render([
      catalogApiRef,
      {
        queryEntities,
        getEntityFacets: async () => ({
          facets: { kind: [{ value: 'Component', count: 1 }] },
        }),
      },
    ]);
    expect(await screen.findByText('transaction-service')).toBeInTheDocument();
    expect(screen.getByText(/1 Component/)).toBeInTheDocument();
    expect(queryEntities).toHaveBeenCalledWith(
      expect.objectContaining({
        query: {
          kind: 'Component',
          'relations.ownedBy': {
            $in: ['user:default/ann', 'group:default/ledger'],
          },
        },
      }),
    );
  });

  it('says so when there is nothing yet', async () => {
    render(catalogApiMock({ entities: [] }));
    expect(
      await screen.findByText(/own no components yet/),
    ).toBeInTheDocument();
  });

  it('shows the reason when the catalog does not answer', async () => {
    const fail = async () => {
      throw new Error('catalog is away');
    };
    render([catalogApiRef, { queryEntities: fail, getEntityFacets: fail }]);
    expect(await screen.findByText('catalog is away')).toBeInTheDocument();
  });
});
