import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { httpError, NOW, renderPlugin } from '../../__testUtils__/render';
import {
  makeIdleWorkflow,
  makeWorkflow,
  mockWorkflowsApi,
} from '../../__testUtils__/workflows';

const PAGE = '/critical-paths/default/transaction-posting';

async function card(name: string) {
  return (await screen.findByRole('heading', { name })).closest('li')!;
}

describe('WorkflowSection', () => {
  it('shows how each workflow is, apart from the uptime by requests', async () => {
    renderPlugin(PAGE, {
      workflows: mockWorkflowsApi(NOW, [
        makeWorkflow(NOW),
        makeIdleWorkflow(NOW),
      ]),
    });
    const failing = await card('Post a transaction and read it back');
    expect(
      screen.getByText(/no part of the uptime by requests/),
    ).toBeInTheDocument();
    expect(failing).toHaveTextContent('Status: Failed');
    expect(failing).toHaveTextContent(
      'Failed at step post: expected status is 201, found 503.',
    );
    expect(failing).toHaveTextContent('98.95 % of 287 runs completed');
    expect(failing).toHaveTextContent('3 steps, every 5 minutes');
    const runs = within(failing).getByRole('list', {
      name: 'Last runs of Post a transaction and read it back, the newest last',
    });
    expect(within(runs).getAllByRole('button')).toHaveLength(30);
    expect(within(runs).getAllByRole('button').at(-1)).toHaveAccessibleName(
      /^Failed run of .*at step post, expected status is 201, found 503, started by hand$/,
    );

    const idle = await card('Refund a payment');
    expect(idle).toHaveTextContent('Status: Not run');
    expect(idle).toHaveTextContent(
      'No target: component:default/wallet-transactions is not deployed',
    );
    expect(idle).toHaveTextContent('does not change the state of the path');
    expect(idle).toHaveTextContent('no runs');
  });

  it('opens the evidence of a run with the keyboard', async () => {
    renderPlugin(PAGE, {
      workflows: mockWorkflowsApi(NOW, [makeWorkflow(NOW)]),
    });
    const failing = await card('Post a transaction and read it back');
    const newest = within(failing)
      .getAllByRole('button', { name: /run of/ })
      .at(-1)!;
    newest.focus();
    await userEvent.keyboard('{Enter}');
    const dialog = await screen.findByRole('dialog');
    const steps = await within(dialog).findByRole('list', {
      name: 'Steps of the run',
    });
    const [open, post, read] = Array.from(steps.children);
    expect(open).toHaveTextContent('POST http://127.0.0.1:7101/v1/accounts');
    expect(open).toHaveTextContent('session[redacted]');
    expect(post).toHaveTextContent('HTTP 503 in 121 ms');
    expect(
      within(post as HTMLElement).getByRole('list', {
        name: 'Checks of Post a transaction',
      }),
    ).toHaveTextContent('Failed: status is 201 · found 503');
    expect(read).toHaveTextContent('Not reached');
    await userEvent.keyboard('{Escape}');
    await waitFor(() =>
      expect(screen.queryByRole('dialog')).not.toBeInTheDocument(),
    );
  });

  it('runs a workflow now and shows that run', async () => {
    const api = mockWorkflowsApi(NOW, [makeWorkflow(NOW)]);
    const start = jest.spyOn(api, 'startWorkflowRun');
    renderPlugin(PAGE, { workflows: api });
    await userEvent.click(
      await screen.findByRole('button', { name: /^Run .* now$/ }),
    );
    expect(await screen.findByRole('dialog')).toHaveTextContent(
      'started by user:default/guest',
    );
    expect(start).toHaveBeenCalledWith({
      namespace: 'default',
      name: 'transaction-posting',
      workflow: 'post-and-read',
    });
  });

  it('says why a run could not be started, and hides the button from those who may not', async () => {
    const api = mockWorkflowsApi(NOW, [makeWorkflow(NOW)]);
    api.startWorkflowRun = async () => {
      throw await httpError(409, 'it is running already');
    };
    const { unmount } = renderPlugin(PAGE, { workflows: api });
    await userEvent.click(
      await screen.findByRole('button', { name: /^Run .* now$/ }),
    );
    expect(
      await screen.findByText('it is running already'),
    ).toBeInTheDocument();
    unmount();
    renderPlugin(PAGE, {
      workflows: mockWorkflowsApi(NOW, [makeWorkflow(NOW)], false),
    });
    await card('Post a transaction and read it back');
    expect(
      screen.queryByRole('button', { name: /^Run .* now$/ }),
    ).not.toBeInTheDocument();
  });

  it('tells when it cannot be read, and is not there without workflows', async () => {
    const api = mockWorkflowsApi(NOW, []);
    const { unmount } = renderPlugin(PAGE, { workflows: api });
    await screen.findByRole('heading', { name: 'Applications' });
    expect(
      screen.queryByRole('heading', { name: 'Workflow checks' }),
    ).not.toBeInTheDocument();
    unmount();
    api.getWorkflows = async () => {
      throw await httpError(503, 'the database cannot be reached');
    };
    renderPlugin(PAGE, { workflows: api });
    expect(
      await screen.findByText('The workflow checks could not be read'),
    ).toBeInTheDocument();
    expect(
      screen.getByText('the database cannot be reached'),
    ).toBeInTheDocument();
  });
});
