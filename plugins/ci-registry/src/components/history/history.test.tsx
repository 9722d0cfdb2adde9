import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
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

async function changes() {
  const list = await screen.findByRole('list', { name: 'Changes' });
  return within(list)
    .getAllByRole('heading', { level: 3 })
    .map(heading => heading.closest('li')!);
}

describe('the tab History', () => {
  it('lists every change with who, from where and when', async () => {
    renderEntityTab(component, 'history');
    const [third, second, first] = await changes();
    expect(third).toHaveTextContent(/Version 3Change: Changed/);
    expect(third).toHaveTextContent(
      /\(2 h ago\) by repo:meridian-pay\/ledger-service:ref:refs\/heads\/main · github\.com/,
    );
    expect(second).toHaveTextContent(/Came back.*pipeline not reported/);
    expect(first).toHaveTextContent(/Registered.*by user:default\/guest/);
    expect(await accessibilityProblems()).toEqual([]);
  });

  it('shows what a field was and what it became', async () => {
    renderEntityTab(component, 'history');
    const [third] = await changes();
    const owner = within(third).getByRole('table', {
      name: 'spec › owner, before and after',
    });
    const [, row] = within(owner).getAllByRole('row');
    const [before, after] = within(row).getAllByRole('cell');
    expect(before.querySelector('del')).toHaveTextContent(
      'group:default/payments',
    );
    expect(after.querySelector('ins')).toHaveTextContent(
      'group:default/ledger',
    );
    expect(third).toHaveTextContent(
      'metadata › annotations › rocket.internal/critical-pathadded',
    );
  });

  it('shows the entity at a version, at an address of its own', async () => {
    const api = mockApi();
    renderEntityTab(component, 'history', { api });
    await changes();
    await userEvent.click(
      screen.getByRole('button', { name: 'Show the entity at version 1' }),
    );
    const yaml = await screen.findByRole('region', {
      name: 'Entity at version 1',
    });
    expect(yaml).toHaveTextContent('owner: group:default/ledger');
    expect(screen.getByText('ab'.repeat(32))).toBeVisible();
    expect(address()).toContain('/history?version=1');
    expect(api.getEntityVersion).toHaveBeenCalledWith(
      COMPONENT,
      1,
      expect.anything(),
    );
    expect(await accessibilityProblems()).toEqual([]);
    await userEvent.click(screen.getByRole('button', { name: 'All changes' }));
    await changes();
    expect(address()).not.toContain('version');
  });

  it('says so when a version is no longer kept', async () => {
    const api = mockApi();
    api.getEntityVersion.mockRejectedValue(await httpError(404));
    renderEntityTab(component, 'history?version=99', { api });
    expect(await screen.findByText('There is no version 99')).toBeVisible();
  });

  it('tells the way in when the entry was never pushed', async () => {
    const api = mockApi();
    api.getHistory.mockRejectedValue(await httpError(404));
    renderEntityTab(component, 'history', { api });
    expect(
      await screen.findByText(/No pipeline pushed this entry/),
    ).toBeVisible();
    expect(screen.queryByRole('button', { name: /Export/ })).toBeNull();
  });

  describe('the export', () => {
    const created = jest.fn((_blob: Blob) => 'blob:x');
    const clicked = jest.fn();

    beforeEach(() => {
      created.mockClear();
      clicked.mockClear();
      Object.assign(URL, {
        createObjectURL: created,
        revokeObjectURL: jest.fn(),
      });
      jest
        .spyOn(HTMLAnchorElement.prototype, 'click')
        .mockImplementation(function click(this: HTMLAnchorElement) {
          clicked(this.download);
        });
    });

    it('saves what the registry answers', async () => {
      const api = mockApi();
      const log = new Blob(['{"version":1}\n']);
      api.exportHistory.mockResolvedValue(log);
      renderEntityTab(component, 'history', { api });
      await userEvent.click(
        await screen.findByRole('button', { name: 'Export as NDJSON' }),
      );
      await waitFor(() =>
        expect(clicked).toHaveBeenCalledWith('ledger-service-history.ndjson'),
      );
      expect(created).toHaveBeenCalledWith(log);
      expect(api.exportHistory).toHaveBeenCalledWith(COMPONENT);
    });

    it('says so when it fails', async () => {
      const api = mockApi();
      api.exportHistory.mockRejectedValue(
        await httpError(503, 'the database is away'),
      );
      renderEntityTab(component, 'history', { api });
      await userEvent.click(
        await screen.findByRole('button', { name: 'Export as NDJSON' }),
      );
      expect(
        await screen.findByText('The history could not be exported'),
      ).toBeVisible();
      expect(created).not.toHaveBeenCalled();
    });
  });
});
