import { renderTestApp, mockApis } from '@backstage/frontend-test-utils';
import { createTestEntityPage } from '@backstage/plugin-catalog-react/testUtils';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { mockProvisioningApi } from '../__testUtils__/api';
import { serviceStatus } from '../__testUtils__/fixtures';
import { provisioningApiRef } from '../api/ProvisioningApi';
import provisioningPlugin from '..';

jest.setTimeout(60_000);

const entity = {
  apiVersion: 'backstage.io/v1alpha1',
  kind: 'Component',
  metadata: {
    name: 'card-limits',
    namespace: 'default',
    annotations: { 'rocket.internal/runtime': 'local' },
  },
  spec: { type: 'service', lifecycle: 'production', owner: 'cards' },
};

describe('Runtime tab', () => {
  let api: ReturnType<typeof mockProvisioningApi>;

  beforeEach(() => {
    api = mockProvisioningApi();
    api.getService.mockResolvedValue(serviceStatus());
    api.getLog.mockImplementation(async (_name, { after }) =>
      after === undefined
        ? {
            cursor: 2,
            lines: [
              {
                time: '2026-11-20T08:00:00Z',
                stream: 'rocket',
                text: 'starting',
              },
              {
                time: '2026-11-20T08:00:01Z',
                stream: 'stderr',
                text: 'a warning',
              },
            ],
          }
        : { cursor: after, lines: [] },
    );
    api.getRepository.mockResolvedValue({
      name: 'card-limits',
      owner: 'group:default/cards',
      defaultBranch: 'main',
      cloneUrl: 'http://localhost:7007/api/provisioning/git/card-limits.git',
      createdAt: '',
      createdBy: '',
    });
  });

  function render(options: { of?: object } = {}) {
    const { of = entity } = options;
    renderTestApp({
      extensions: [
        createTestEntityPage({ entity: of as never }),
        provisioningPlugin.getExtension('entity-content:provisioning/runtime'),
      ],
      apis: [
        [provisioningApiRef, api],
        mockApis.permission({ authorize: AuthorizeResult.ALLOW }),
      ],
    });
  }

  it('shows what runs, how it came up and what it writes', async () => {
    render();
    expect(await screen.findByText('Healthy')).toBeInTheDocument();
    expect(screen.getByRole('link', { name: /7100$/ })).toHaveAttribute(
      'href',
      'http://127.0.0.1:7100',
    );
    expect(
      screen.getByRole('link', { name: /7100\/docs/ }),
    ).toBeInTheDocument();
    expect(screen.getByText('abcdef012345')).toBeInTheDocument();
    expect(screen.getByText('svc_card_limits')).toBeInTheDocument();
    expect(screen.getByText('2 min ago')).toBeInTheDocument();
    const phases = within(
      screen.getByRole('list', { name: 'Phases' }),
    ).getAllByRole('listitem');
    expect(phases.map(phase => phase.textContent)).toEqual([
      'Wait for its turn2.5 sdone',
      'Check out the commit2.5 sdone',
      'Install what it needs2.5 sdone',
      'Make its database2.5 sdone',
      'Migrate the database2.5 sdone',
      'Start the process2.5 sdone',
      'Wait until it is ready2.5 sdone',
    ]);
    const log = await screen.findByRole('region', {
      name: 'Log of card-limits',
    });
    expect(log).toHaveTextContent('rocket');
    expect(log).toHaveTextContent('a warning');
    expect(
      screen.getByText(
        'git clone http://localhost:7007/api/provisioning/git/card-limits.git',
      ),
    ).toBeInTheDocument();
    await waitFor(
      () =>
        expect(api.getLog.mock.calls.map(call => call[1].after)).toContain(2),
      { timeout: 10_000 },
    );
  });

  it('asks before it stops, and shows the new state', async () => {
    api.operate.mockImplementation(async () => {
      const stopped = serviceStatus({
        state: 'stopped',
        message: 'Stopped by you',
      });
      api.getService.mockResolvedValue(stopped);
      return stopped;
    });
    render();
    const user = userEvent.setup();
    await user.click(await screen.findByRole('button', { name: 'Stop' }));
    const dialog = await screen.findByRole('dialog', {
      name: 'Stop card-limits?',
    });
    await user.click(
      within(dialog).getByRole('button', { name: 'Keep it running' }),
    );
    expect(api.operate).not.toHaveBeenCalled();

    await user.click(screen.getByRole('button', { name: 'Stop' }));
    await user.type(
      await screen.findByRole('textbox', { name: 'Reason' }),
      'it pays twice',
    );
    await user.click(screen.getByRole('button', { name: 'Stop it' }));
    expect(await screen.findByText('Stopped')).toBeInTheDocument();
    expect(api.operate).toHaveBeenCalledWith(
      'card-limits',
      'stop',
      'it pays twice',
    );
    expect(screen.getByRole('button', { name: 'Start' })).toBeInTheDocument();
    expect(screen.getAllByText('not running').length).toBeGreaterThan(0);
  });

  it('says why an operation failed', async () => {
    api.operate.mockRejectedValue(new Error('another deployment is under way'));
    render();
    await userEvent.click(
      await screen.findByRole('button', { name: 'Restart' }),
    );
    expect(api.operate).toHaveBeenCalledWith(
      'card-limits',
      'restart',
      undefined,
    );
    expect(
      await screen.findByText(/another deployment is under way/),
    ).toBeInTheDocument();
  });

  it('tells a failed deployment from the commit that still runs', async () => {
    const status = serviceStatus({
      deployment: {
        commit: 'f'.repeat(40),
        status: 'failed',
        message: 'npm ci failed',
      },
    });
    status.phases[2] = {
      phase: 'install',
      status: 'failed',
      message: 'exit 1',
    };
    api.getService.mockResolvedValue(status);
    render();
    expect(
      await screen.findByText(
        /npm ci failed The earlier commit abcdef012345 still runs/,
      ),
    ).toBeInTheDocument();
    expect(screen.getByText('failed')).toBeInTheDocument();
    expect(screen.getByText('exit 1')).toBeInTheDocument();
    expect(screen.getByText('Healthy')).toBeInTheDocument();
  });

  it('shows a password once, and hides it', async () => {
    api.createGitToken.mockResolvedValue({
      token: 'once-only-password',
      access: 'write',
      repository: 'card-limits',
      expiresAt: '2026-11-20T09:00:00Z',
    });
    render();
    const user = userEvent.setup();
    await user.click(
      await screen.findByRole('button', { name: /clone and push/ }),
    );
    expect(await screen.findByText('once-only-password')).toBeInTheDocument();
    expect(api.createGitToken).toHaveBeenCalledWith({
      repository: 'card-limits',
      access: 'write',
    });
    await user.click(screen.getByRole('button', { name: 'Hide it' }));
    expect(screen.queryByText('once-only-password')).toBeNull();
    expect(
      screen.getByRole('button', { name: /clone and push/ }),
    ).toBeInTheDocument();
  });

  it('is honest about what it does not know', async () => {
    api.getService.mockResolvedValue(undefined);
    render();
    expect(
      await screen.findByText('card-limits is not on the local runtime'),
    ).toBeInTheDocument();
  });

  it('says that the service and its log cannot be read', async () => {
    api.getService.mockRejectedValue(new Error('Provisioning does not answer'));
    render();
    expect(
      await screen.findByText(
        'The service could not be read: Provisioning does not answer',
      ),
    ).toBeInTheDocument();
  });

  it('is not there for a component that runs elsewhere', async () => {
    render({
      of: { ...entity, metadata: { ...entity.metadata, annotations: {} } },
    });
    expect(await screen.findByTestId('empty-entity-page')).toBeInTheDocument();
    expect(api.getService).not.toHaveBeenCalled();
  });
});
