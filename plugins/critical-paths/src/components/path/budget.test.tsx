import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { httpError, mockApi, renderPlugin } from '../../__testUtils__/render';

// The whole page with four charts is much to draw on a busy machine.
jest.setTimeout(60_000);
const PATIENT = { timeout: 30_000 };

const PAGE = '/critical-paths/default/card-authorization';

const section = async (name: string) =>
  (await screen.findByRole('heading', { name }, PATIENT)).closest('section')!;

describe('the page of a path', () => {
  it('shows budget, burn rates and which rule fires', async () => {
    renderPlugin(PAGE);
    const budget = await section('Error budget');
    expect(budget).toHaveTextContent(
      '928 of 3,200 allowed failures used; 28.6 min of total failure left of 40.3 min.',
    );
    const table = within(budget).getByRole('table');
    const [, rates, fast, , creeping] = within(table).getAllByRole('row');
    expect(
      within(rates)
        .getAllByRole('cell')
        .slice(0, 5)
        .map(cell => cell.textContent),
    ).toEqual(['no data', '2.40×', '15.2×', '3.10×', '0.40×']);
    expect(fast).toHaveTextContent(
      /Fast burn.*13\.4×.*1\.344 % failing.*burning/,
    );
    expect(creeping).toHaveTextContent('too few requests to judge');
  });

  it('names who burned the budget, and what nobody knows', async () => {
    renderPlugin(PAGE);
    const who = await section('Who burned the budget');
    const [first, second, rest] = within(who).getAllByRole('listitem');
    expect(first).toHaveTextContent(/authorization-service.*75 %/);
    expect(first).toHaveTextContent('9.4 % of the path’s budget');
    expect(second).toHaveTextContent('320 of its 400 failures came from');
    expect(rest).toHaveTextContent(/Nobody knows.*5\.0 %/);
  });

  it('lists what happened, the newest first, and marks it on every chart', async () => {
    renderPlugin(PAGE);
    const changes = await section('What happened');
    const items = within(changes).getAllByRole('listitem');
    expect(items.map(item => item.textContent)).toEqual([
      expect.stringMatching(/Incident: Latency above 300 ms.*, open/),
      expect.stringMatching(/Incident: Error rate.*over after 40\.0 min/),
      expect.stringMatching(
        /Deployment: authorization-service 1\.4\.2.*9\.1 % of the budget.*in the 60 min after it/,
      ),
    ]);
    expect(
      within(items[1]).getByRole('link', { name: /open at/ }),
    ).toHaveAttribute('href', 'https://one.newrelic.com/incident/1');
    const markers = screen.getAllByTestId('markers');
    expect(markers).toHaveLength(4);
    for (const group of markers) {
      expect(group).toHaveTextContent(/D.*I.*I/);
    }
    expect(
      screen.getByRole('img', {
        name: /^Uptime of .*Deployment: authorization-service 1\.4\.2\./,
      }),
    ).toBeInTheDocument();
  });

  it('reads the history when it is opened', async () => {
    const api = mockApi();
    renderPlugin(PAGE, { api });
    const trigger = await screen.findByRole(
      'button',
      { name: /History by month/ },
      PATIENT,
    );
    expect(api.getHistory).not.toHaveBeenCalled();
    await userEvent.click(trigger);
    const row = await screen.findByRole('row', { name: /October 2026/ });
    expect(row).toHaveTextContent('99.95');
    expect(row).toHaveTextContent('51 % left');
  });

  it('declares downtime with a reason, and keeps what was typed when that fails', async () => {
    const api = mockApi();
    api.declareMaintenance.mockRejectedValueOnce(
      await httpError(400, 'body field to must be after from'),
    );
    renderPlugin(PAGE, { api, mayManage: true });
    await userEvent.click(
      await screen.findByRole('button', { name: 'Plan downtime' }, PATIENT),
    );
    const dialog = await screen.findByRole('dialog');
    const send = within(dialog).getByRole('button', { name: 'Declare it' });
    expect(send).toBeDisabled();
    await userEvent.type(
      within(dialog).getByRole('textbox', { name: /Reason/ }),
      'database upgrade',
    );
    await userEvent.click(send);
    expect(await within(dialog).findByText(/must be after from/)).toBeVisible();
    await userEvent.click(send);
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
    expect(api.declareMaintenance).toHaveBeenLastCalledWith({
      pathRef: 'criticalpath:default/card-authorization',
      from: expect.stringMatching(/Z$/),
      to: expect.stringMatching(/Z$/),
      reason: 'database upgrade',
    });
    const [[{ from, to }]] = api.declareMaintenance.mock.calls;
    expect(Date.parse(to) - Date.parse(from)).toBe(3_600_000);
  });

  it('starts the budget anew with a reason', async () => {
    const api = mockApi();
    renderPlugin(PAGE, { api, mayManage: true });
    await userEvent.click(
      await screen.findByRole(
        'button',
        { name: 'Start the budget anew' },
        PATIENT,
      ),
    );
    const dialog = await screen.findByRole('dialog');
    await userEvent.type(
      within(dialog).getByRole('textbox', { name: /Reason/ }),
      'new objective agreed',
    );
    await userEvent.click(
      within(dialog).getByRole('button', { name: 'Start anew' }),
    );
    await waitFor(() =>
      expect(api.resetBudget).toHaveBeenCalledWith(
        expect.objectContaining({ name: 'card-authorization' }),
        'new objective agreed',
      ),
    );
  });
});
