import type { Entity } from '@backstage/catalog-model';
import type { ExtensionDefinition } from '@backstage/frontend-plugin-api';
import { createTestEntityPage } from '@backstage/plugin-catalog-react/testUtils';
import { screen, within } from '@testing-library/react';
import { httpError, mockApi, renderPlugin } from '../../__testUtils__/render';

function entityPage(kind: string, name: string): ExtensionDefinition {
  const entity: Entity = {
    apiVersion: 'backstage.io/v1alpha1',
    kind,
    metadata: { name, namespace: 'default' },
    spec: {},
  };
  return createTestEntityPage({ entity });
}

describe('the tab of a component', () => {
  it('lists its paths with its own figures', async () => {
    const api = mockApi();
    renderPlugin('/', {
      api,
      extensions: [entityPage('Component', 'ledger-service')],
    });
    const table = await screen.findByRole('table', {
      name: 'Critical paths of ledger-service',
    });
    expect(api.getComponentPaths).toHaveBeenCalledWith(
      { kind: 'component', namespace: 'default', name: 'ledger-service' },
      expect.objectContaining({ window: '24h' }),
    );
    const row = within(table)
      .getByRole('link', { name: 'Transaction posting' })
      .closest('tr')!;
    expect(row).toHaveTextContent('book');
    expect(within(row).getAllByRole('img')).toHaveLength(4);
    expect(
      within(row).getByRole('link', { name: /in New Relic/ }),
    ).toBeInTheDocument();
    expect(row).toHaveTextContent('no source');
  });

  it('shows what a pipeline that deploys it is told, without a word in the audit log', async () => {
    const api = mockApi();
    renderPlugin('/', {
      api,
      extensions: [entityPage('Component', 'ledger-service')],
    });
    const reasons = await screen.findByRole('list', {
      name: 'Reasons of the gate',
    });
    expect(screen.getByText(/The gate stops deployments/)).toBeVisible();
    expect(
      within(reasons)
        .getAllByRole('listitem')
        .map(item => item.textContent),
    ).toEqual([
      expect.stringMatching(/^BlocksInstant transfer: the error budget is/),
      expect.stringMatching(/^WarnsWallet top-up: nobody can see/),
    ]);
    expect(api.getGate).toHaveBeenCalledWith(
      'component:default/ledger-service',
      expect.objectContaining({ preview: true }),
    );
  });

  it.each([
    ['has no paths', async () => undefined],
    [
      'is not known to the backend',
      async () => {
        throw await httpError(404);
      },
    ],
  ])('says how to join a path when it %s', async (_, refuse) => {
    const api = mockApi();
    const answer = api.getComponentPaths.getMockImplementation()!;
    api.getComponentPaths.mockImplementation(async (component, options) => {
      await refuse();
      return answer(component, options);
    });
    renderPlugin('/', {
      api,
      extensions: [entityPage('Component', 'lonely-service')],
    });
    expect(
      await screen.findByText(/This component is in no critical path/),
    ).toHaveTextContent('rocket.internal/critical-path-step');
  });
});

describe('the cards', () => {
  it('sum a critical path up and lead to its page', async () => {
    renderPlugin('/', {
      extensions: [entityPage('CriticalPath', 'transaction-posting')],
    });
    expect(
      await screen.findByText(/14 % of the error budget left/, {
        selector: 'p',
      }),
    ).toBeInTheDocument();
    expect(screen.getAllByRole('img')).toHaveLength(4);
    expect(
      screen.getByRole('link', { name: 'Steps, charts and applications' }),
    ).toHaveAttribute('href', '/critical-paths/default/transaction-posting');
  });

  it('list the paths of a business model', async () => {
    renderPlugin('/', { extensions: [entityPage('Domain', 'payments')] });
    const list = await screen.findByRole('list', {
      name: 'Critical paths of payments',
    });
    expect(
      within(list)
        .getAllByRole('link')
        .map(link => link.textContent),
    ).toEqual(['Instant transfer', 'Transaction posting', 'Wallet top-up']);
    expect(
      screen.getByRole('link', { name: 'Open the board' }),
    ).toHaveAttribute(
      'href',
      '/critical-paths?businessModel=domain%3Adefault%2Fpayments',
    );
  });
});
