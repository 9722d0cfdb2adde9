import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { makeServiceLevels } from '../../__testUtils__/fixtures';
import {
  httpError,
  mockApi,
  mockApiWithAlerts,
  renderPlugin,
} from '../../__testUtils__/render';

// The whole page with four charts is much to draw on a busy machine.
jest.setTimeout(60_000);
const PATIENT = { timeout: 30_000 };
const PAGE = '/critical-paths/default/card-authorization';

const section = async (name: string) =>
  (await screen.findByRole('heading', { name }, PATIENT)).closest('section')!;

describe('pages and tickets of a path', () => {
  it('shows what is open, since when and by which rule, and how the others ended', async () => {
    const api = mockApiWithAlerts();
    renderPlugin(PAGE, { api });
    const alerts = await section('Alerts');
    const list = await within(alerts).findByRole('list');
    expect(
      within(list)
        .getAllByRole('listitem')
        .map(item => item.textContent),
    ).toEqual([
      expect.stringMatching(
        /^Pageopen since .*\(30\.0 min\)availability 99\.9 %.*burning at 15× over 1h.*Told last at/,
      ),
      expect.stringMatching(/^Page, overrecovered after 38\.0 min/),
      expect.stringMatching(/^Ticket, overwithdrawn after 2\.0 h/),
    ]);
    expect(api.getAlerts).toHaveBeenCalledWith(
      expect.objectContaining({
        pathRef: 'criticalpath:default/card-authorization',
      }),
    );
  });

  it('tells that nobody could be told', async () => {
    renderPlugin('/critical-paths/default/transaction-posting', {
      api: mockApiWithAlerts(),
    });
    const alerts = await section('Alerts');
    expect(
      await within(alerts).findByText(/Nobody could be told/),
    ).toBeVisible();
    expect(alerts).toHaveTextContent('Ticket');
  });

  it('does not call it quiet when it cannot be read', async () => {
    const api = mockApi();
    api.getAlerts.mockImplementation(async () => {
      throw await httpError(503, 'the database is away');
    });
    renderPlugin(PAGE, { api });
    const alerts = await section('Alerts');
    expect(await within(alerts).findByText(/database is away/)).toBeVisible();
    expect(alerts).not.toHaveTextContent('No page or ticket');
  });

  it('says so when there is none', async () => {
    renderPlugin('/critical-paths/default/merchant-settlement');
    const alerts = await section('Alerts');
    expect(
      await within(alerts).findByText(/No page or ticket is open/),
    ).toBeVisible();
  });
});

describe('service levels at the source', () => {
  it('stand beside our own figures, with the difference', async () => {
    renderPlugin(PAGE);
    const levels = await section('Service levels at the source');
    const table = await within(levels).findByRole('table');
    const [, agreeing, differing, other] = within(table).getAllByRole('row');
    expect(
      within(agreeing)
        .getAllByRole('cell')
        .slice(0, 4)
        .map(cell => cell.textContent),
    ).toEqual([
      '99.9 %over 7 d',
      '99.950 %99,950 of 100,000',
      '99.948 %99,948 of 100,000',
      expect.stringMatching(/agree -0\.002 points/),
    ]);
    expect(differing).toHaveTextContent(/differ -0\.750 points/);
    expect(other).toHaveTextContent(
      /no figure.*not comparable.*none that Rocket/,
    );
    expect(levels).toHaveTextContent('1 of 2 that can be compared agree');
    expect(
      within(agreeing).getByRole('link', { name: /opens in a new tab/ }),
    ).toHaveAttribute('rel', expect.stringContaining('noopener'));
    await userEvent.click(within(agreeing).getByText('Query'));
    expect(
      within(agreeing).getByText('SELECT sum(good) FROM ServiceLevel'),
    ).toBeVisible();
  });

  it('does not speak of agreement where nothing can be compared', async () => {
    const api = mockApi();
    api.getServiceLevelsOfPath.mockResolvedValue({
      generatedAt: '',
      rows: makeServiceLevels().slice(2),
    });
    renderPlugin(PAGE, { api });
    const levels = await section('Service levels at the source');
    expect(
      await within(levels).findByText(/None of them can be compared yet/),
    ).toBeVisible();
    expect(levels).not.toHaveTextContent(/agree/);
  });

  it('says so when there are none', async () => {
    const api = mockApi();
    api.getServiceLevelsOfPath.mockResolvedValue({ generatedAt: '', rows: [] });
    renderPlugin(PAGE, { api });
    const levels = await section('Service levels at the source');
    expect(
      await within(levels).findByText(/No service level is known/),
    ).toBeVisible();
  });
});

describe('the gate of a path', () => {
  it('shows its decision and the reasons', async () => {
    renderPlugin(PAGE);
    const gate = await section('Gate for deployments');
    const reasons = await within(gate).findByRole('list');
    expect(gate).toHaveTextContent('The gate stops deployments.');
    expect(reasons).toHaveTextContent(/^BlocksCard authorization: availab/);
  });

  it('lets nothing pass that cannot be read', async () => {
    const api = mockApi();
    api.getGate.mockImplementation(async () => {
      throw await httpError(503, 'the database is away');
    });
    renderPlugin(PAGE, { api });
    const gate = await section('Gate for deployments');
    expect(await within(gate).findByText(/database is away/)).toBeVisible();
    expect(gate).not.toHaveTextContent(/pass/);
  });
});
