import { act, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { makeBoard, ROW_SPECS } from '../../__testUtils__/fixtures';
import {
  address,
  httpError,
  mockApi,
  NOW,
  renderPlugin,
} from '../../__testUtils__/render';

async function rowNames() {
  const table = await screen.findByRole('table');
  return within(table)
    .getAllByRole('rowheader')
    .map(cell => within(cell).getByRole('link').textContent);
}

function rowOf(title: string) {
  return screen.getByRole('link', { name: title }).closest('tr')!;
}

describe('BoardPage', () => {
  it('shows one row per path with its signals, the worst first', async () => {
    renderPlugin('/critical-paths');
    expect(await rowNames()).toEqual([
      'Instant transfer',
      'Transaction posting',
      'Merchant settlement',
      'Chargeback intake',
      'Wallet top-up',
      'Merchant payment',
      'Card authorization',
    ]);
    const row = rowOf('Card authorization');
    expect(row).toHaveTextContent('State: Healthy');
    expect(row).toHaveTextContent('99.97');
    expect(row).toHaveTextContent('58 % left');
    expect(within(row).getAllByRole('img')).toHaveLength(4);
    expect(
      within(row).getByRole('img', { name: /^Uptime: latest 99/ }),
    ).toBeInTheDocument();
    expect(
      within(row).getByRole('link', { name: 'authorizations' }),
    ).toHaveAttribute('href', '/catalog/default/group/authorizations');
    expect(
      within(row).getByRole('link', { name: 'Card authorization' }),
    ).toHaveAttribute('href', '/critical-paths/default/card-authorization');
  });

  it('never shows missing or late data as good', async () => {
    renderPlugin('/critical-paths');
    await screen.findByRole('table');
    for (const title of [
      'Merchant settlement',
      'Wallet top-up',
      'Chargeback intake',
      'Merchant payment',
    ]) {
      const row = rowOf(title);
      expect(row.querySelector('[data-state]')).not.toHaveAttribute(
        'data-tone',
        'positive',
      );
      const budget = row.querySelector('[data-tone="positive"]');
      expect(!budget || budget.hasAttribute('data-muted')).toBe(true);
    }
    expect(rowOf('Merchant settlement')).toHaveTextContent(/47 min ago late/);
    const wallet = rowOf('Wallet top-up');
    expect(wallet).toHaveTextContent(
      'The catalog has no component:default/wallet-transactions',
    );
    expect(wallet).not.toHaveTextContent(/\d %/);
    expect(within(wallet).getAllByText('no data')).toHaveLength(6);
  });

  it('reads its filters from the address', async () => {
    const api = mockApi();
    renderPlugin(
      '/critical-paths?window=7d&businessModel=domain:default/acquiring&sort=path',
      { api },
    );
    expect(await rowNames()).toEqual([
      'Chargeback intake',
      'Merchant payment',
      'Merchant settlement',
    ]);
    expect(api.getBoard).toHaveBeenLastCalledWith(
      expect.objectContaining({ window: '7d' }),
    );
    expect(
      screen.getByRole('link', { name: 'Merchant payment' }),
    ).toHaveAttribute(
      'href',
      '/critical-paths/default/merchant-payment?window=7d',
    );
  });

  it('writes filters, sorting and window into the address', async () => {
    const api = mockApi();
    renderPlugin('/critical-paths', { api });
    await screen.findByRole('table');

    await userEvent.click(screen.getByRole('button', { name: '1 Stale' }));
    expect(await rowNames()).toEqual(['Merchant settlement']);
    expect(address()).toBe('/critical-paths?state=stale');
    await userEvent.click(screen.getByRole('button', { name: /All paths/ }));

    await userEvent.click(screen.getByRole('button', { name: 'Error rate' }));
    expect((await rowNames())[0]).toBe('Instant transfer');
    expect(address()).toBe('/critical-paths?sort=-errorRate');
    expect(
      screen.getByRole('columnheader', { name: /Error rate/ }),
    ).toHaveAttribute('aria-sort', 'descending');

    await userEvent.type(
      screen.getByRole('searchbox', { name: 'Find a path' }),
      'posting',
    );
    await waitFor(() => expect(address()).toContain('q=posting'));
    expect(await rowNames()).toEqual(['Transaction posting']);

    await userEvent.click(screen.getByRole('radio', { name: 'Last hour' }));
    await waitFor(() => expect(address()).toContain('window=1h'));
    expect(api.getBoard).toHaveBeenLastCalledWith(
      expect.objectContaining({ window: '1h' }),
    );
  });

  it('filters by business model with the keyboard alone', async () => {
    renderPlugin('/critical-paths');
    await screen.findByRole('table');
    screen.getByRole('button', { name: /All business models/ }).focus();
    await userEvent.keyboard('{Enter}');
    await screen.findByRole('option', { name: 'issuing' });
    await userEvent.keyboard('iss{Enter}');
    expect(await rowNames()).toEqual(['Card authorization']);
    expect(address()).toBe(
      '/critical-paths?businessModel=domain%3Adefault%2Fissuing',
    );
  });

  it('says so when the address asks for a window that does not exist', async () => {
    renderPlugin('/critical-paths?window=5h');
    expect(
      await screen.findByText('There is no window “5h”'),
    ).toBeInTheDocument();
    expect(await screen.findByRole('table')).toBeInTheDocument();
  });

  it('offers a way back when nothing matches', async () => {
    renderPlugin('/critical-paths?q=nothing');
    await userEvent.click(
      await screen.findByRole('button', { name: 'Clear the filters' }),
    );
    expect(await rowNames()).toHaveLength(ROW_SPECS.length);
  });

  it('says what to do when there is no path at all', async () => {
    const api = mockApi();
    api.getBoard.mockResolvedValue(makeBoard({ now: NOW, window: '24h' }, []));
    renderPlugin('/critical-paths', { api });
    expect(
      await screen.findByText('No critical path is registered yet'),
    ).toBeInTheDocument();
  });

  it('becomes cards where there is no room for a table', async () => {
    const real = global.ResizeObserver;
    global.ResizeObserver = class {
      constructor(private readonly callback: ResizeObserverCallback) {}
      observe() {
        this.callback(
          [{ contentRect: { width: 360 } }] as ResizeObserverEntry[],
          this,
        );
      }
      unobserve() {}
      disconnect() {}
    };
    try {
      renderPlugin('/critical-paths');
      const list = await screen.findByRole('list', { name: 'Critical paths' });
      expect(list.children).toHaveLength(ROW_SPECS.length);
      expect(screen.queryByRole('table')).not.toBeInTheDocument();
      expect(
        screen.getByRole('button', { name: /Sort by/ }),
      ).toBeInTheDocument();
    } finally {
      global.ResizeObserver = real;
    }
  });

  it('explains an answer that is refused', async () => {
    const api = mockApi();
    api.getBoard.mockRejectedValue(await httpError(403));
    renderPlugin('/critical-paths', { api });
    expect(await screen.findByText('You may not see this')).toBeInTheDocument();
  });

  describe('while time goes by', () => {
    beforeEach(() => {
      jest.useFakeTimers({ advanceTimers: true });
    });
    afterEach(() => {
      jest.useRealTimers();
    });
    const pass = (seconds: number) =>
      act(() => jest.advanceTimersByTimeAsync(seconds * 1000));

    it('keeps the figures of a backend that went away and says that they are old', async () => {
      const api = mockApi();
      renderPlugin('/critical-paths', { api });
      await screen.findByRole('table');
      expect(rowOf('Card authorization')).toHaveTextContent('State: Healthy');

      api.getBoard.mockRejectedValue(await httpError(503, 'backend is away'));
      await pass(16);
      expect(
        await screen.findByText(/^The figures are old/),
      ).toBeInTheDocument();
      expect(screen.getByText(/backend is away/)).toBeInTheDocument();
      const row = rowOf('Card authorization');
      expect(row).toHaveTextContent('State: Was healthy');
      expect(row).toHaveTextContent('99.97');
      for (const place of [
        screen.getByRole('table'),
        screen.getByRole('group', { name: 'Paths per state' }),
      ]) {
        expect(
          place.querySelector('[data-tone="positive"]:not([data-muted])'),
        ).toBeNull();
      }

      api.getBoard.mockImplementation(async ({ window = '24h' } = {}) =>
        makeBoard({ now: NOW, window }),
      );
      await pass(16);
      expect(rowOf('Card authorization')).toHaveTextContent('State: Healthy');
      expect(
        screen.queryByText(/^The figures are old/),
      ).not.toBeInTheDocument();
    });

    it('says that figures are old when no answer comes at all', async () => {
      const api = mockApi();
      renderPlugin('/critical-paths', { api });
      await screen.findByRole('table');
      api.getBoard.mockReturnValue(new Promise(() => {}));
      await pass(90);
      expect(
        await screen.findByText(/^The figures are old/),
      ).toBeInTheDocument();
      expect(rowOf('Card authorization')).toHaveTextContent('Was healthy');
    });
  });
});
