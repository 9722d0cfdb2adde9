import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { emptyApi } from '../../__testUtils__/api';
import {
  accessibilityProblems,
  address,
  httpError,
  mockApi,
  renderPlugin,
} from '../../__testUtils__/render';

const rowOf = async (name: string) =>
  (
    await screen.findByRole('rowheader', { name: new RegExp(`^${name}\\b`) })
  ).closest('tr')!;

describe('the board of DORA metrics', () => {
  it('shows figures with samples, the window before and the goal', async () => {
    const api = mockApi();
    renderPlugin('/delivery', { api });
    const ledger = await rowOf('ledger');
    expect(api.getDora).toHaveBeenCalledWith(
      expect.objectContaining({
        by: 'team',
        environment: 'production',
        days: 28,
      }),
    );
    expect(ledger).toHaveTextContent(/1\.7.\/daybetter, was 1\.2 \/day24 dep/);
    expect(ledger).toHaveTextContent(/38.minGoal: within 45 min/);
    expect(ledger).toHaveTextContent('95 % within 75 min');
    expect(ledger).toHaveTextContent(/8\.3.%worse, was 5 %/);
    expect(
      within(ledger).getByRole('img', {
        name: /^Lead time by week: latest 38 min.*Goal 45 min\.$/,
      }),
    ).toBeInTheDocument();
    expect(await rowOf('cards')).toHaveTextContent('Goal: over 45 min');
    expect(await accessibilityProblems()).toEqual([]);
  });

  it('never makes a figure of too few samples', async () => {
    renderPlugin('/delivery');
    const row = await rowOf('treasury');
    expect(within(row).getAllByText('not enough data')).toHaveLength(4);
    expect(row).toHaveTextContent('2 of 5 commits');
    expect(row).not.toHaveTextContent(/within|over/);
    expect(row.querySelector('[data-tone="positive"]')).toBeNull();
  });

  it('keeps every choice in the address and asks for it', async () => {
    const api = mockApi();
    renderPlugin('/delivery?environment=staging', { api });
    await screen.findByRole('table');
    await userEvent.click(screen.getByRole('radio', { name: 'Applications' }));
    await userEvent.click(screen.getByRole('radio', { name: 'Last 90 days' }));
    await rowOf('ledger-service');
    await waitFor(() =>
      expect(api.getDora).toHaveBeenLastCalledWith(
        expect.objectContaining({
          by: 'component',
          environment: 'staging',
          days: 90,
        }),
      ),
    );
    await userEvent.click(
      screen.getByRole('button', { name: 'Lead time for changes' }),
    );
    expect(
      screen.getByRole('columnheader', { name: /Lead time/ }),
    ).toHaveAttribute('aria-sort', 'descending');
    expect(
      screen.getAllByRole('rowheader').map(cell => cell.textContent),
    ).toEqual(['card-gateway', 'ledger-service', 'fx-rates']);
    expect(
      Object.fromEntries(new URLSearchParams(address().split('?')[1])),
    ).toEqual({
      environment: 'staging',
      by: 'component',
      days: '90',
      sort: '-leadTime',
    });
    expect(
      screen.getByRole('link', { name: 'ledger-service' }),
    ).toHaveAttribute(
      'href',
      '/catalog/default/component/ledger-service/delivery',
    );
  });

  it('says when no row matches, and takes the filter away', async () => {
    renderPlugin('/delivery?q=nobody');
    await userEvent.click(
      await screen.findByRole('button', { name: 'Clear the filter' }),
    );
    expect(await rowOf('ledger')).toBeVisible();
    expect(address()).toBe('/delivery');
  });

  it('saves the rows that are looked at as CSV', async () => {
    const created = jest.fn((_blob: Blob) => 'blob:x');
    Object.assign(URL, {
      createObjectURL: created,
      revokeObjectURL: jest.fn(),
    });
    const clicked = jest
      .spyOn(HTMLAnchorElement.prototype, 'click')
      .mockImplementation(() => {});
    renderPlugin('/delivery?q=led');
    await rowOf('ledger');
    await userEvent.click(screen.getByRole('button', { name: 'CSV' }));
    expect(clicked).toHaveBeenCalled();
    const [[blob]] = created.mock.calls;
    const text = await blob.text();
    expect(text).toContain('group:default/ledger,ledger,production,');
    expect(text).not.toContain('cards');
  });

  it('tells the way out when nothing was deployed', async () => {
    renderPlugin('/delivery?environment=staging&days=7', {
      api: emptyApi({ now: Date.now() }),
    });
    expect(
      await screen.findByText(
        'Nothing was deployed to staging in the last 7 days',
      ),
    ).toBeVisible();
    expect(screen.getByRole('button', { name: 'CSV' })).toBeDisabled();
  });
});

describe('the list of freshness', () => {
  it('shows the worst first with the reason and the way out', async () => {
    renderPlugin('/delivery?view=freshness');
    const gone = await rowOf('old-ledger');
    expect(gone).toHaveTextContent('Freshness: Gone');
    expect(gone).toHaveTextContent(/leaves the catalog \d/);
    const shadow = await rowOf('shadow-worker');
    expect(shadow).toHaveTextContent('Freshness: Running, not registered');
    // It has no page that a link could lead to.
    expect(
      within(shadow).queryByRole('link', { name: 'shadow-worker' }),
    ).toBeNull();
    expect(screen.getByRole('button', { name: 'Stale 1' })).toHaveAttribute(
      'aria-pressed',
      'false',
    );
    expect(await accessibilityProblems()).toEqual([]);
  });

  it('asks for what the reader owns, and for states', async () => {
    const api = mockApi();
    renderPlugin('/delivery?view=freshness&owner=mine', { api });
    await rowOf('old-ledger');
    expect(api.getFreshness).toHaveBeenLastCalledWith(
      expect.objectContaining({
        owner: ['user:default/guest', 'group:default/ledger'],
        state: [],
      }),
    );
    await userEvent.click(screen.getByRole('button', { name: 'Stale 1' }));
    await waitFor(() =>
      expect(api.getFreshness).toHaveBeenLastCalledWith(
        expect.objectContaining({ state: ['stale'] }),
      ),
    );
    expect(address()).toBe('/delivery?view=freshness&owner=mine&state=stale');
    await waitFor(() =>
      expect(
        screen.queryByRole('rowheader', { name: /^old-ledger/ }),
      ).toBeNull(),
    );
    expect(await rowOf('statements')).toBeVisible();
  });

  it('offers to clear the filters when nothing matches', async () => {
    const api = mockApi();
    renderPlugin('/delivery?view=freshness&state=unmanaged', { api });
    await userEvent.click(
      await screen.findByRole('button', { name: 'Clear the filters' }),
    );
    expect(await rowOf('old-ledger')).toBeVisible();
  });
});

describe('the decisions', () => {
  it('are offered only to those who may audit', async () => {
    renderPlugin('/delivery');
    await screen.findByRole('table');
    expect(screen.queryByRole('link', { name: 'Who was let in' })).toBeNull();
  });

  it('tell who asked for what, and why it was refused', async () => {
    const api = mockApi();
    renderPlugin('/delivery?view=decisions', { api, mayAudit: true });
    const [, refused, allowed] = await screen.findAllByRole('row');
    expect(refused).toHaveTextContent(
      /Decision: Refused.*repo:somebody\/else.*GitHub Actions.*POST \/pushes.*wrong-audience/,
    );
    expect(allowed).toHaveTextContent(
      /Decision: Let in.*and 1 more · production.*rule github-own-repository/,
    );
    expect(await accessibilityProblems()).toEqual([]);
    await userEvent.click(
      screen.getByRole('switch', { name: 'Only what was refused' }),
    );
    await waitFor(() =>
      expect(api.getDecisions).toHaveBeenLastCalledWith(
        expect.objectContaining({ allowed: false }),
      ),
    );
    expect(address()).toContain('refused=only');
  });

  it('name the permission to who follows a link without it', async () => {
    const api = mockApi();
    api.getDecisions.mockRejectedValue(await httpError(403));
    renderPlugin('/delivery?view=decisions', { api });
    expect(
      await screen.findByText(/lacks the permission ci-registry.decision.read/),
    ).toBeVisible();
  });
});
