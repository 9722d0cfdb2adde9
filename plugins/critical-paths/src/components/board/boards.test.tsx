import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import type { TeamRow } from '@rocket/plugin-critical-paths-common';
import {
  address,
  httpError,
  mockApi,
  mockApiWithAlerts,
  renderPlugin,
} from '../../__testUtils__/render';
import { makeAlerts } from '../../__testUtils__/fixtures';
import { teamTree } from './TeamsBoard';

describe('the boards of one signal', () => {
  it('shows every path by business model, with its objective and the window before', async () => {
    renderPlugin('/critical-paths?board=uptime');
    const table = await screen.findByRole('table');
    expect(table).toHaveAccessibleName(/Uptime of every critical path/);
    expect(
      screen.getByText(/good requests over all requests\. \d+ of \d+ paths/),
    ).toBeVisible();
    const groups = within(table)
      .getAllByRole('rowheader')
      .filter(cell => cell.getAttribute('scope') === 'rowgroup');
    expect(groups.length).toBeGreaterThan(1);
    const row = screen
      .getByRole('link', { name: 'Card authorization' })
      .closest('tr')!;
    expect(row).toHaveTextContent('State: Healthy');
    expect(row).toHaveTextContent('≥ 99.90 %met');
    expect(row).toHaveTextContent(/points, (better|worse)/);
    expect(row).toHaveTextContent(/was \d/);
    expect(
      screen.getByRole('link', { name: 'Card authorization' }),
    ).toHaveAttribute('href', '/critical-paths/default/card-authorization');
  });

  it.each([
    ['throughput', 'Throughput'],
    ['error-rate', 'Error rate'],
    ['latency', 'Latency'],
  ])('has one for %s', async (board, label) => {
    const api = mockApi();
    renderPlugin(`/critical-paths?board=${board}&window=7d`, { api });
    expect(await screen.findByRole('table')).toHaveAccessibleName(
      new RegExp(label),
    );
    expect(api.getSignalBoard).toHaveBeenCalledWith(
      board,
      expect.objectContaining({ window: '7d' }),
    );
    expect(screen.getByRole('link', { name: label })).toHaveAttribute(
      'aria-current',
      'page',
    );
  });

  it('keeps filters and window when another board is chosen, and sorts by its headings', async () => {
    renderPlugin(
      '/critical-paths?board=uptime&window=7d&businessModel=domain:default/acquiring',
    );
    await screen.findByRole('table');
    await userEvent.click(screen.getByRole('link', { name: 'Latency' }));
    await waitFor(() => expect(address()).toContain('board=latency'));
    expect(address()).toContain('window=7d');
    expect(address()).toContain('businessModel=');
    await screen.findByRole('table', { name: /Latency/ });
    await userEvent.click(screen.getByRole('button', { name: 'Latency' }));
    expect(address()).toContain('order=value');
    expect(
      screen.getByRole('columnheader', { name: 'Latency' }),
    ).toHaveAttribute('aria-sort', 'ascending');
    await userEvent.click(screen.getByRole('button', { name: 'Latency' }));
    expect(address()).toContain('order=-value');
  });

  it('never shows a path without data as good', async () => {
    renderPlugin('/critical-paths?board=uptime');
    await screen.findByRole('table');
    const row = screen
      .getByRole('link', { name: 'Wallet top-up' })
      .closest('tr')!;
    expect(row).toHaveTextContent('no data');
    expect(row).not.toHaveTextContent(/\d %met/);
    expect(row.querySelector('[data-tone="positive"]')).toBeNull();
  });
});

describe('the board of teams', () => {
  it('shows groups under their parents and leads to their paths', async () => {
    renderPlugin('/critical-paths?board=teams');
    const table = await screen.findByRole('table');
    const names = within(table)
      .getAllByRole('rowheader')
      .map(cell => within(cell).getByRole('link').textContent);
    expect(names[0]).toBe('engineering');
    expect(names).toContain('ledger');
    const ledger = screen.getByRole('link', { name: 'ledger' }).closest('tr')!;
    await userEvent.click(
      within(ledger).getByRole('button', { name: /own path/ }),
    );
    await waitFor(() => expect(address()).toContain('owner='));
    expect(address()).not.toContain('board=');
  });

  it('shows every row once, whatever the parents say', () => {
    const team = (entityRef: string, parent?: string) =>
      ({ entityRef, title: entityRef, parent, state: 'healthy' } as TeamRow);
    const tree = teamTree([
      team('c', 'b'),
      team('b', 'a'),
      team('a'),
      team('lost', 'unknown'),
      team('x', 'y'),
      team('y', 'x'),
    ]);
    expect(tree.map(({ row, depth }) => `${row.entityRef}${depth}`)).toEqual([
      'a0',
      'b1',
      'c2',
      'lost0',
      'x0',
      'y0',
    ]);
  });
});

describe('pages and tickets on the boards', () => {
  const alerts = async () =>
    within(
      await screen.findByRole('list', { name: 'Pages and tickets by path' }),
    )
      .getAllByRole('listitem')
      .map(item => item.textContent);

  it('stand above the paths, one for each path, with what recovered within a day', async () => {
    renderPlugin('/critical-paths', { api: mockApiWithAlerts() });
    expect(await alerts()).toEqual([
      expect.stringMatching(
        /^PageCard authorization · authorizations · open since .*\(30\.0 min\).*burning at 15×/,
      ),
      expect.stringMatching(
        /^Page, overCard authorization.*recovered after 38/,
      ),
      expect.stringMatching(/^TicketTransaction posting.*Nobody could be told/),
    ]);
    expect(
      screen.getByText('Open: 1 page, 1 ticket. Recovered within a day: 1.'),
    ).toBeVisible();
    expect(
      within(
        screen.getByRole('list', { name: 'Pages and tickets by path' }),
      ).getByRole('link', { name: 'Transaction posting' }),
    ).toHaveAttribute('href', '/critical-paths/default/transaction-posting');
  });

  it('are those of the paths that pass the filters', async () => {
    renderPlugin('/critical-paths?q=posting', { api: mockApiWithAlerts() });
    expect(await alerts()).toEqual([
      expect.stringMatching(/^TicketTransaction posting/),
    ]);
  });

  it('do not push the paths out of sight', async () => {
    const api = mockApi();
    const [page] = makeAlerts();
    api.getAlerts.mockResolvedValue({
      alerts: Array.from({ length: 9 }, (_, i) => ({ ...page, id: `${i}` })),
    });
    renderPlugin('/critical-paths', { api });
    expect(await alerts()).toHaveLength(4);
    await userEvent.click(screen.getByRole('button', { name: 'Show all 9' }));
    expect(await alerts()).toHaveLength(9);
  });

  it('are counted for each team', async () => {
    renderPlugin('/critical-paths?board=teams', { api: mockApiWithAlerts() });
    await alerts();
    const rowOf = (team: string) =>
      within(screen.getByRole('table'))
        .getByRole('link', { name: team })
        .closest('tr')!;
    expect(rowOf('ledger')).toHaveTextContent('1 ticket open');
    expect(rowOf('engineering')).toHaveTextContent('1 page, 1 ticket open');
  });

  it('are not called quiet when they cannot be read', async () => {
    const api = mockApi();
    api.getAlerts.mockImplementation(async () => {
      throw await httpError(503, 'the database is away');
    });
    renderPlugin('/critical-paths', { api });
    const part = await screen.findByRole('region', {
      name: 'Pages and tickets',
    });
    expect(await within(part).findByText(/database is away/)).toBeVisible();
    expect(part).not.toHaveTextContent('No page or ticket');
  });
});

describe('the wall screen', () => {
  it('shows the worst paths large and leaves with Escape', async () => {
    renderPlugin('/critical-paths?wall=on');
    const wall = await screen.findByRole('region', { name: /wall screen/ });
    const titles = await within(wall).findAllByRole('heading', { level: 2 });
    expect(titles[0]).toHaveTextContent('Instant transfer');
    expect(within(wall).getAllByText(/State:/)).toHaveLength(titles.length);
    await userEvent.keyboard('{Escape}');
    await waitFor(() => expect(address()).toBe('/critical-paths'));
    expect(await screen.findByRole('table')).toBeInTheDocument();
  });

  it('is reached from the board and can be shared', async () => {
    renderPlugin('/critical-paths?window=6h');
    await screen.findByRole('table');
    await userEvent.click(screen.getByRole('button', { name: 'Wall screen' }));
    expect(address()).toBe('/critical-paths?window=6h&wall=on');
  });
});

describe('the file for spreadsheets', () => {
  const created = jest.fn(() => 'blob:x');
  beforeEach(() => {
    created.mockClear();
    Object.assign(URL, {
      createObjectURL: created,
      revokeObjectURL: jest.fn(),
    });
    jest
      .spyOn(HTMLAnchorElement.prototype, 'click')
      .mockImplementation(() => {});
  });

  it('has the board and window that are looked at', async () => {
    const api = mockApi();
    renderPlugin('/critical-paths?board=teams&window=7d', { api });
    await screen.findByRole('table');
    await userEvent.click(screen.getByRole('button', { name: 'CSV' }));
    await waitFor(() => expect(created).toHaveBeenCalled());
    expect(api.getCsv).toHaveBeenCalledWith('teams', { window: '7d' });
  });

  it('says so when it cannot be read', async () => {
    const api = mockApi();
    api.getCsv.mockImplementation(async () => {
      throw await httpError(503);
    });
    renderPlugin('/critical-paths', { api });
    await screen.findByRole('table');
    await userEvent.click(screen.getByRole('button', { name: 'CSV' }));
    expect(await screen.findByText(/file could not be read/)).toBeVisible();
    expect(created).not.toHaveBeenCalled();
  });
});
