import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { emptyApi } from '../../__testUtils__/api';
import { COMPONENT } from '../../__testUtils__/fixtures';
import {
  accessibilityProblems,
  address,
  httpError,
  mockApi,
  renderEntityTab,
  testEntity,
} from '../../__testUtils__/render';

const component = testEntity('Component', 'ledger-service');

const section = async (name: string) =>
  (await screen.findByRole('heading', { name, level: 2 })).closest('section')!;

describe('the tab Delivery of a component', () => {
  it('shows what runs where, since when, by what, and how it differs', async () => {
    const api = mockApi();
    renderEntityTab(component, 'delivery', { api });
    const list = await screen.findByRole('list', { name: 'Environments' });
    expect(api.getVersions).toHaveBeenCalledWith(
      { component: COMPONENT },
      expect.anything(),
    );
    const [production, staging] = within(list)
      .getAllByRole('heading', { level: 3 })
      .map(heading => heading.closest('li')!);
    expect(production).toHaveTextContent(/^production2\.4\.0/);
    expect(production).toHaveTextContent('2.5.0 is being deployed');
    expect(production).toHaveTextContent(/Since2 h ago, \d/);
    expect(production).toHaveTextContent('Artefactsha256:5f2a91c07d3e…');
    expect(production).toHaveTextContent('Replaced2.3.1 bada55e0');
    expect(production).toHaveTextContent(
      /2 commits more.*Refuse postings in another currency \(Mara Okafor\)/,
    );
    expect(production).toHaveTextContent('coverage +0.5 points, now 86.6 %');
    expect(production).toHaveTextContent('3 commits behind');
    expect(
      within(production).getAllByRole('link', { name: 'c0ffee01' })[0],
    ).toHaveAttribute(
      'href',
      `https://github.com/meridian-pay/ledger-service/commit/c0ffee01${'0'.repeat(
        32,
      )}`,
    );
    expect(staging).toHaveTextContent(
      'nothing: the first deployment that is known',
    );
    // Nothing operates this component here, so no button pretends to.
    expect(screen.queryByRole('link', { name: /runtime/ })).toBeNull();
    await section('Builds');
    expect(await accessibilityProblems()).toEqual([]);
  });

  it('leads to the runtime where there is one', async () => {
    renderEntityTab(
      testEntity('Component', 'ledger-service', {
        'rocket.internal/runtime': 'local',
      }),
      'delivery',
    );
    expect(
      await screen.findByRole('link', { name: /To the runtime/ }),
    ).toHaveAttribute(
      'href',
      '/catalog/default/component/ledger-service/runtime',
    );
  });

  it('lists builds with tests, coverage, scans and artefacts, and follows no script', async () => {
    renderEntityTab(component, 'delivery');
    const builds = await section('Builds');
    const [, first, second] = await within(builds).findAllByRole('row');
    expect(first).toHaveTextContent('Outcome: Succeeded');
    expect(first).toHaveTextContent('508 passed3 skipped');
    expect(first).toHaveTextContent('86.6 %1,742 of 2,010 lines');
    expect(first).toHaveTextContent('1 high, 4 medium; 3 with a fix');
    expect(first).toHaveTextContent('SBOM, CycloneDX, 214 components');
    expect(second).toHaveTextContent('409 passed, 2 failed');
    // eslint-disable-next-line no-script-url
    expect(second).toHaveTextContent('javascript:alert(1)');
    for (const link of within(second).getAllByRole('link')) {
      expect(link.getAttribute('href')).toMatch(/^https:/);
    }
  });

  it('lists deployments with outcome and reason', async () => {
    renderEntityTab(component, 'delivery');
    const rows = await within(await section('Deployments')).findAllByRole(
      'row',
    );
    expect(rows[1]).toHaveTextContent('Outcome: Under way');
    expect(rows[3]).toHaveTextContent(
      /Outcome: Failed.*did not become ready.*took 7 min/,
    );
    expect(rows[4]).toHaveTextContent('makes good deploy-377');
  });

  it('reads older deployments when asked', async () => {
    const api = mockApi();
    const all = await api.getDeployments();
    api.getDeployments.mockImplementation(async ({ cursor } = {}) =>
      cursor
        ? { items: [{ ...all.items[1], id: 'old', version: '1.0.0' }] }
        : { items: all.items, nextCursor: 'more' },
    );
    renderEntityTab(component, 'delivery', { api });
    const deployments = await section('Deployments');
    await userEvent.click(
      await within(deployments).findByRole('button', {
        name: 'Show older deployments',
      }),
    );
    expect(await within(deployments).findByText('1.0.0')).toBeVisible();
    expect(within(deployments).getAllByRole('row')).toHaveLength(6);
    expect(
      within(deployments).queryByRole('button', { name: /Show older/ }),
    ).toBeNull();
  });

  it('holds the metrics against the goal and asks for another environment', async () => {
    const api = mockApi();
    renderEntityTab(component, 'delivery?days=90&environment=staging', { api });
    const metrics = await section('DORA metrics');
    expect(await within(metrics).findByText('within 45 min')).toBeVisible();
    expect(api.getDora).toHaveBeenCalledWith(
      expect.objectContaining({
        by: 'component',
        ref: COMPONENT,
        environment: 'staging',
        days: 90,
      }),
    );
    await userEvent.click(
      within(metrics).getByRole('radio', { name: 'Last 7 days' }),
    );
    await waitFor(() => expect(address()).toContain('days=7'));
  });

  it('tells the way out when nothing was reported', async () => {
    renderEntityTab(component, 'delivery', {
      api: emptyApi({ now: Date.now() }),
    });
    expect(
      await screen.findByText(
        'No deployment of this component was reported yet',
      ),
    ).toBeVisible();
    expect(await screen.findByText('No build was reported yet')).toBeVisible();
    expect(
      await screen.findByText(/Nothing was deployed to production in 28 days/),
    ).toBeVisible();
    expect(
      screen.getAllByText(/rocket-ci deploy start/).length,
    ).toBeGreaterThan(0);
  });

  it('says what is missing and asks again', async () => {
    const api = mockApi();
    const failure = await httpError(503, 'the database is away');
    api.getVersions.mockRejectedValueOnce(failure);
    renderEntityTab(component, 'delivery', { api });
    expect(
      await screen.findByText('The versions could not be read'),
    ).toBeVisible();
    expect(screen.getByText(/the database is away\./)).toBeVisible();
    await userEvent.click(screen.getByRole('button', { name: 'Try again' }));
    expect(
      await screen.findByRole('list', { name: 'Environments' }),
    ).toBeInTheDocument();
  });

  it('names the permission that is missing', async () => {
    const api = mockApi();
    api.getVersions.mockRejectedValue(await httpError(403));
    renderEntityTab(component, 'delivery', { api });
    expect(
      await screen.findByText(/lacks the permission ci-registry.entity.read/),
    ).toBeVisible();
  });
});

describe('the tab Delivery of a system', () => {
  it('shows its components against the environments', async () => {
    const api = mockApi();
    renderEntityTab(testEntity('System', 'ledger'), 'delivery', { api });
    const table = await screen.findByRole('table', {
      name: 'What runs where in ledger',
    });
    expect(api.getVersions).toHaveBeenCalledWith(
      { system: 'system:default/ledger' },
      expect.anything(),
    );
    const [head, gateway, ledger] = within(table).getAllByRole('row');
    expect(
      within(head)
        .getAllByRole('columnheader')
        .map(cell => cell.textContent),
    ).toEqual(['Component', 'production', 'staging']);
    expect(gateway).toHaveTextContent(/card-gateway1\.12\.3.*not deployed/);
    expect(ledger).toHaveTextContent(/2\.4\.0.*2\.5\.0 is being deployed/);
    expect(
      within(ledger).getByRole('link', { name: 'ledger-service' }),
    ).toHaveAttribute(
      'href',
      '/catalog/default/component/ledger-service/delivery',
    );
    expect(await accessibilityProblems(table)).toEqual([]);
  });
});

describe('the card on the overview', () => {
  it('tells whether the entry can be trusted and what changed it', async () => {
    renderEntityTab(component, '');
    const card = (
      await screen.findByRole('heading', { name: 'Freshness' })
    ).closest('.bui-Card') as HTMLElement;
    expect(await within(card).findByText('Fresh')).toBeVisible();
    expect(card).toHaveTextContent('Freshness: Fresh');
    expect(card).toHaveTextContent(/Last changed2 d ago by bada55e0 in run/);
    expect(
      within(card).getByRole('link', {
        name: 'github.com/meridian-pay/ledger-service',
      }),
    ).toHaveAttribute('href', 'https://github.com/meridian-pay/ledger-service');
    expect(
      within(card).getByRole('link', { name: 'Every change of it' }),
    ).toHaveAttribute(
      'href',
      '/catalog/default/component/ledger-service/history',
    );
    expect(await accessibilityProblems(card)).toEqual([]);
  });

  it('tells when an entry that is gone leaves the catalog', async () => {
    renderEntityTab(testEntity('Component', 'old-ledger'), '');
    expect(await screen.findByText('Gone')).toBeVisible();
    expect(await screen.findByText('Leaves the catalog')).toBeVisible();
    expect(screen.getByText(/Push it again to keep it/)).toBeVisible();
  });

  it('tells the way in when nobody pushed the entry', async () => {
    renderEntityTab(testEntity('Component', 'lonely'), '');
    expect(
      await screen.findByText(/No pipeline pushed this entry/),
    ).toHaveTextContent('rocket-ci register');
    expect(
      screen.queryByRole('link', { name: 'Every change of it' }),
    ).toBeNull();
  });
});

describe('the tab Versions of an API', () => {
  const api = testEntity('API', 'ledger-api');

  it('lists what each version breaks, the worst first', async () => {
    renderEntityTab(api, 'versions');
    const list = await screen.findByRole('list', { name: 'Versions' });
    const [third, second, first] = within(list)
      .getAllByRole('heading', { level: 3 })
      .map(heading => heading.closest('li')!);
    expect(
      within(third)
        .getAllByRole('listitem')
        .map(item => item.textContent),
    ).toEqual([
      expect.stringMatching(/^Severity: Breaking.*currencythe field became/),
      expect.stringMatching(/^Severity: Warning.*deprecated/),
      expect.stringMatching(/^Severity: Compatible.*closedAt/),
    ]);
    expect(third).toHaveTextContent('Changes: 1 breaking');
    expect(second).toHaveTextContent('Nothing changed for those who call it.');
    expect(first).toHaveTextContent('nothing to compare it with');
    expect(await accessibilityProblems(list)).toEqual([]);
  });

  it('shows the document of a version when asked', async () => {
    const client = mockApi();
    renderEntityTab(api, 'versions', { api: client });
    const button = await screen.findByRole('button', {
      name: 'Show the document of version 2',
    });
    expect(client.getDocumentDefinition).not.toHaveBeenCalled();
    await userEvent.click(button);
    expect(
      await screen.findByRole('region', { name: 'Document of version 2' }),
    ).toHaveTextContent('version: 2.0.0');
    expect(client.getDocumentDefinition).toHaveBeenCalledWith(
      'api:default/ledger-api',
      2,
      expect.anything(),
    );
  });

  it('takes a document that was never pushed for none, not for a failure', async () => {
    const client = mockApi();
    client.getDocumentVersions.mockRejectedValue(await httpError(404));
    renderEntityTab(api, 'versions', { api: client });
    expect(
      await screen.findByText(/No pipeline pushed a document/),
    ).toBeVisible();
    expect(screen.queryByRole('button', { name: 'Try again' })).toBeNull();
  });
});
