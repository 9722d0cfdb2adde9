import type { Entity } from '@backstage/catalog-model';
import {
  createExtensionTester,
  mockApis,
  renderInTestApp,
} from '@backstage/frontend-test-utils';
import { catalogApiMock } from '@backstage/plugin-catalog-react/testUtils';
import { homePageWidgetDataRef } from '@backstage/plugin-home-react/alpha';
import { screen, within } from '@testing-library/react';
import plugin, { criticalPathsApiRef } from '../..';
import { rootRouteRef } from '../../routes';
import { mockApi } from '../../__testUtils__/render';

const ledgerService: Entity = {
  apiVersion: 'backstage.io/v1alpha1',
  kind: 'Component',
  metadata: { name: 'ledger-service', namespace: 'default' },
  relations: [
    { type: 'ownedBy', targetRef: 'group:default/ledger' },
    {
      type: 'dependencyOf',
      targetRef: 'criticalpath:default/card-authorization',
    },
  ],
};

function renderWidget(groups: string[]) {
  const widget = createExtensionTester(
    plugin.getExtension('home-page-widget:critical-paths/critical-paths'),
  ).get(homePageWidgetDataRef);
  expect(widget.name).toBe('RocketCriticalPaths');
  renderInTestApp(widget.component, {
    apis: [
      [criticalPathsApiRef, mockApi()],
      catalogApiMock({ entities: [ledgerService] }),
      mockApis.identity({
        userEntityRef: 'user:default/guest',
        ownershipEntityRefs: groups,
      }),
    ],
    mountedRoutes: { '/critical-paths': rootRouteRef },
  });
}

async function shownPaths() {
  const list = await screen.findByRole('list', { name: 'Your critical paths' });
  return within(list)
    .getAllByRole('link')
    .map(link => link.textContent);
}

describe('the widget of the home page', () => {
  it('shows paths that the reader owns, and those of their components', async () => {
    renderWidget(['group:default/ledger']);
    expect(await shownPaths()).toEqual([
      'Transaction posting',
      'Card authorization',
    ]);
    expect(screen.getByText('Your critical paths')).toBeInTheDocument();
  });

  it('falls back to the worst paths', async () => {
    renderWidget(['group:default/nobody']);
    expect((await shownPaths())[0]).toBe('Instant transfer');
    expect(
      screen.getByText(/None of your groups is part of a critical path/),
    ).toBeInTheDocument();
  });
});
