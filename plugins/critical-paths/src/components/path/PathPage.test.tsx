import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { makePath } from '../../__testUtils__/fixtures';
import {
  address,
  httpError,
  mockApi,
  NOW,
  renderPlugin,
} from '../../__testUtils__/render';

describe('PathPage', () => {
  it('shows steps, signals, objectives and applications', async () => {
    renderPlugin('/critical-paths/default/transaction-posting');
    expect(
      await screen.findByRole('heading', { name: 'Transaction posting' }),
    ).toBeInTheDocument();

    const steps = screen.getByRole('list', { name: 'Steps' });
    expect(Array.from(steps.children).map(step => step.textContent)).toEqual([
      expect.stringMatching(
        /^1Post the transaction.*transaction-service.*payout-service.*measured here/,
      ),
      expect.stringMatching(/^2Book in the ledger.*ledger-service/),
      expect.stringMatching(/^3Tell the holder.*notification-service/),
    ]);

    for (const name of [
      /^Uptime of/,
      /^Throughput of/,
      /^Error rate of/,
      /^Latency p95 of/,
    ]) {
      const chart = screen.getByRole('img', { name });
      expect(chart).toHaveAccessibleName(/Whole path: latest/);
      expect(chart).toHaveAccessibleName(/ledger-service: latest/);
    }
    expect(
      screen.getByRole('img', { name: /^Uptime of/ }),
    ).toHaveAccessibleName(/Line at objective 99.95 %/);
    expect(
      screen.getByRole('meter', { name: /99.95 % of requests good/ }),
    ).toHaveAttribute('aria-valuetext', '14 % left');

    const table = screen.getByRole('table', {
      name: 'Applications of Transaction posting',
    });
    const row = within(table)
      .getByRole('link', { name: 'ledger-service' })
      .closest('tr')!;
    expect(
      within(row).getByRole('link', { name: 'ledger-service' }),
    ).toHaveAttribute('href', '/catalog/default/component/ledger-service');
    const source = within(row).getByRole('link', {
      name: /ledger-service in New Relic, opens in a new tab/,
    });
    expect(source).toHaveAttribute(
      'href',
      expect.stringMatching(/^https:\/\/one\.newrelic\.com\//),
    );
    expect(source).toHaveAttribute('rel', expect.stringContaining('noopener'));
    expect(within(row).getAllByRole('img')).toHaveLength(4);
  });

  it('shows how many alerts of each application are open and how long recovery takes', async () => {
    renderPlugin('/critical-paths/default/card-authorization');
    const table = await screen.findByRole('table', {
      name: 'Applications of Card authorization',
    });
    const column = within(table)
      .getAllByRole('columnheader')
      .findIndex(header => header.textContent === 'Alerts');
    const alerts = within(table)
      .getAllByRole('row')
      .slice(1)
      .map(row => row.children[column].textContent);
    expect(alerts).toEqual([
      '1 open no recovery in this window',
      'none open recovers in 38.4 min (mean of 3)',
      'no source',
      'no source',
    ]);
  });

  it('shows a component that the catalog does not have, and what to do', async () => {
    renderPlugin('/critical-paths/default/wallet-top-up');
    const steps = await screen.findByRole('list', { name: 'Steps' });
    expect(steps).toHaveTextContent('component:default/wallet-transactions');
    expect(steps).toHaveTextContent(/Register the component/);
    expect(
      within(steps).queryByRole('link', { name: /wallet-transactions/ }),
    ).not.toBeInTheDocument();
    expect(
      screen.getByRole('list', { name: 'Why it has this state' }),
    ).toHaveTextContent(
      'The catalog has no component:default/wallet-transactions',
    );
    expect(screen.getAllByText('No data in this window')).toHaveLength(4);
    expect(
      document.querySelector('[data-tone="positive"], [data-met="yes"]'),
    ).toBeNull();
    expect(
      screen.getByRole('img', { name: /^Uptime of/ }),
    ).toHaveAccessibleName(/Whole path: no data\./);
  });

  it('does not praise the objectives of a path that is stale', async () => {
    renderPlugin('/critical-paths/default/merchant-settlement');
    expect(await screen.findByText('Was met')).toBeInTheDocument();
    expect(document.querySelector('[data-met="yes"]')).toBeNull();
  });

  it('keeps window and percentile in the address', async () => {
    const api = mockApi();
    renderPlugin('/critical-paths/default/card-authorization?window=6h', {
      api,
    });
    await screen.findByRole('img', { name: /^Latency p95/ });
    expect(api.getPath).toHaveBeenLastCalledWith(
      { namespace: 'default', name: 'card-authorization' },
      expect.objectContaining({ window: '6h' }),
    );
    await userEvent.click(screen.getByRole('radio', { name: 'p99' }));
    expect(
      await screen.findByRole('img', { name: /^Latency p99/ }),
    ).toBeInTheDocument();
    await userEvent.click(screen.getByRole('radio', { name: 'Last 7 days' }));
    await waitFor(() =>
      expect(address()).toBe(
        '/critical-paths/default/card-authorization?window=7d&percentile=p99',
      ),
    );
    expect(
      await screen.findByRole('heading', { name: 'Signals, last 7 days' }),
    ).toBeInTheDocument();
  });

  it('switches one application off on all four charts', async () => {
    renderPlugin('/critical-paths/default/card-authorization');
    await userEvent.click(
      await screen.findByRole('button', { name: 'fraud-scoring' }),
    );
    for (const name of [/^Uptime of/, /^Latency p95 of/]) {
      expect(screen.getByRole('img', { name })).not.toHaveAccessibleName(
        /fraud-scoring/,
      );
    }
  });

  // Granted permissions are remembered from one test to the next; no test of this file has any.
  it('offers no policy to who may not manage it', async () => {
    renderPlugin('/critical-paths/default/card-authorization');
    await screen.findByRole('heading', { name: 'Error budget' });
    expect(screen.queryByRole('button', { name: 'Plan downtime' })).toBeNull();
  });

  it('tells how its figures are made', async () => {
    renderPlugin('/critical-paths/default/card-authorization');
    await userEvent.click(
      await screen.findByRole('button', { name: /How these figures are made/ }),
    );
    // One query brings two figures; it is shown once.
    expect(screen.getByText(/FROM Transaction/)).toBeVisible();
    expect(screen.getByText(/for uptime, throughput$/)).toBeVisible();
    expect(screen.getByText(/^Good ÷ valid, added over/)).toBeVisible();
    expect(screen.getByText(/at most 8.6 %/)).toBeVisible();
  });

  it('tells that the last collection failed', async () => {
    const api = mockApi();
    const path = makePath({ now: NOW, window: '24h' }, 'card-authorization')!;
    api.getPath.mockResolvedValue({
      ...path,
      data: {
        ...path.data,
        lastError: {
          message: 'New Relic refused the key',
          at: new Date(NOW).toISOString(),
        },
      },
    });
    renderPlugin('/critical-paths/default/card-authorization', { api });
    expect(
      await screen.findByText('New Relic refused the key'),
    ).toBeInTheDocument();
  });

  it('has a page for a path that does not exist', async () => {
    renderPlugin('/critical-paths/default/no-such-path');
    expect(
      await screen.findByRole('heading', { name: 'Critical path not found' }),
    ).toBeInTheDocument();
    expect(screen.getByText(/“default\/no-such-path”/)).toBeInTheDocument();
    expect(
      screen.getByRole('link', { name: 'All critical paths' }),
    ).toHaveAttribute('href', '/critical-paths');
  });

  it('takes a name that cannot be one for a path that does not exist', async () => {
    const api = mockApi();
    api.getPath.mockRejectedValue(await httpError(400, 'path name must be …'));
    renderPlugin('/critical-paths/default/%20', { api });
    expect(
      await screen.findByRole('heading', { name: 'Critical path not found' }),
    ).toBeInTheDocument();
  });

  it('shows what went wrong and tries again', async () => {
    const api = mockApi();
    api.getPath.mockRejectedValueOnce(await httpError(500, 'no database'));
    renderPlugin('/critical-paths/default/card-authorization', { api });
    expect(await screen.findByText(/no database/)).toBeInTheDocument();
    await userEvent.click(screen.getByRole('button', { name: 'Try again' }));
    expect(
      await screen.findByRole('heading', { name: 'Card authorization' }),
    ).toBeInTheDocument();
  });
});
