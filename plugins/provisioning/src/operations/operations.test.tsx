import { mockApis, renderTestApp } from '@backstage/frontend-test-utils';
import { createTestEntityPage } from '@backstage/plugin-catalog-react/testUtils';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { mockProvisioningApi } from '../__testUtils__/api';
import {
  driftedEffect,
  effect,
  environments,
  operation,
  plan,
} from '../__testUtils__/operations';
import { provisioningApiRef } from '../api/ProvisioningApi';
import provisioningPlugin from '..';

jest.setTimeout(60_000);

const entity = {
  apiVersion: 'backstage.io/v1alpha1',
  kind: 'Component',
  metadata: { name: 'card-limits', namespace: 'default' },
  spec: { type: 'service', lifecycle: 'production', owner: 'cards' },
};

describe('operations', () => {
  let api: ReturnType<typeof mockProvisioningApi>;

  beforeEach(() => {
    api = mockProvisioningApi();
    api.listEffects.mockResolvedValue([effect(), driftedEffect()]);
    api.listEffectEvents.mockResolvedValue([]);
    api.listOperations.mockResolvedValue([]);
    api.listEnvironments.mockResolvedValue(environments());
  });

  const apis = (me = 'user:default/guest') =>
    [
      [provisioningApiRef, api],
      mockApis.permission({ authorize: AuthorizeResult.ALLOW }),
      mockApis.identity({ userEntityRef: me, ownershipEntityRefs: [me] }),
    ] as const;

  function renderTab() {
    renderTestApp({
      extensions: [
        createTestEntityPage({ entity: entity as never }),
        provisioningPlugin.getExtension(
          'entity-content:provisioning/resources',
        ),
      ],
      apis: [...apis()],
    });
  }

  function renderPage(view: string, me?: string) {
    renderTestApp({
      features: [provisioningPlugin],
      apis: [...apis(me)],
      initialRouteEntries: [`/environments?view=${view}`],
    });
  }

  it('shows what exists by environment, and what differs from what was intended', async () => {
    renderTab();
    const common = await screen.findByRole('list', {
      name: 'For all environments',
    });
    expect(within(common).getByText('Git repository')).toBeInTheDocument();
    expect(within(common).getByText('As intended')).toBeInTheDocument();
    const local = screen.getByRole('list', { name: 'local' });
    expect(within(local).getByText('Drifted')).toBeInTheDocument();
    await userEvent.click(within(local).getByText('New Relic alerts'));
    const row = await within(local).findByRole('row', { name: /Fast burn/ });
    expect(row).toHaveTextContent('14.4');
    expect(row).toHaveTextContent('50');
  });

  it('begins nothing without a plan that was seen, and exactly that one', async () => {
    api.plan.mockResolvedValue(plan());
    api.startOperation.mockResolvedValue(
      operation({ kind: 'retire', state: 'running' }),
    );
    renderTab();
    await userEvent.click(
      await screen.findByRole('button', { name: 'Operate' }),
    );
    await userEvent.click(
      await screen.findByRole('menuitem', { name: 'Retire…' }),
    );
    expect(screen.queryByRole('button', { name: 'Do it' })).toBeNull();
    await userEvent.click(
      await screen.findByRole('button', { name: 'Show the plan' }),
    );
    const steps = await screen.findByRole('list', { name: 'Plan: Retire' });
    expect(steps).toHaveTextContent('deleted after 90 days');
    await userEvent.type(
      screen.getByRole('textbox', { name: 'Reason' }),
      'replaced by limits v2',
    );
    expect(api.startOperation).not.toHaveBeenCalled();
    await userEvent.click(screen.getByRole('button', { name: 'Do it' }));
    await waitFor(() =>
      expect(api.startOperation).toHaveBeenCalledWith({
        kind: 'retire',
        subject: 'component:default/card-limits',
        environment: undefined,
        input: {},
        digest: 'seen-1',
        reason: 'replaced by limits v2',
      }),
    );
  });

  it('makes a plan void when what is asked for changes', async () => {
    api.plan.mockResolvedValue(
      plan({ kind: 'deploy', environment: 'local', input: { ref: 'main' } }),
    );
    renderTab();
    await userEvent.click(
      await screen.findByRole('button', { name: 'Operate' }),
    );
    await userEvent.click(
      await screen.findByRole('menuitem', { name: 'Deploy a version…' }),
    );
    const show = await screen.findByRole('button', { name: 'Show the plan' });
    expect(show).toBeDisabled();
    const version = screen.getByRole('textbox', { name: /Version/ });
    await userEvent.type(version, 'main');
    await userEvent.click(show);
    await screen.findByRole('button', { name: 'Do it' });
    expect(api.plan).toHaveBeenCalledWith({
      kind: 'deploy',
      subject: 'component:default/card-limits',
      environment: 'local',
      input: { ref: 'main' },
    });
    await userEvent.type(version, '-2');
    expect(
      screen.getByRole('button', { name: 'Show the plan' }),
    ).toBeInTheDocument();
    expect(screen.queryByRole('button', { name: 'Do it' })).toBeNull();
  });

  it('says in the backend’s words why there is no plan', async () => {
    api.plan.mockRejectedValue(
      new Error('The service has never been healthy; deploy it first'),
    );
    renderTab();
    await userEvent.click(
      await screen.findByRole('button', { name: 'Operate' }),
    );
    await userEvent.click(
      await screen.findByRole('menuitem', { name: 'Rotate credentials…' }),
    );
    await userEvent.click(
      await screen.findByRole('button', { name: 'Show the plan' }),
    );
    expect(
      await screen.findByText(/never been healthy; deploy it first/),
    ).toBeInTheDocument();
  });

  it('undoes the run of a thing, by a plan', async () => {
    api.plan.mockResolvedValue(plan({ kind: 'undo' }));
    renderTab();
    const common = await screen.findByRole('list', {
      name: 'For all environments',
    });
    await userEvent.click(within(common).getByText('Git repository'));
    await userEvent.click(
      await within(common).findByRole('button', {
        name: 'Undo the whole run…',
      }),
    );
    await userEvent.click(
      await screen.findByRole('button', { name: 'Show the plan' }),
    );
    await screen.findByRole('list', { name: 'Plan: Undo a run' });
    expect(api.plan).toHaveBeenCalledWith({
      kind: 'undo',
      subject: 'component:default/card-limits',
      input: { run: 'task:4711' },
    });
  });

  it('lets an approver decide, with a reason', async () => {
    api.listOperations.mockResolvedValue([operation()]);
    api.decideOperation.mockResolvedValue(operation({ state: 'running' }));
    renderPage('approvals', 'user:default/bob');
    expect(await screen.findByText('Waits for approval')).toBeInTheDocument();
    expect(api.listOperations).toHaveBeenCalledWith(
      { state: 'waiting' },
      expect.anything(),
    );
    await userEvent.type(
      await screen.findByRole('textbox', { name: 'Reason' }),
      'checked with risk',
    );
    await userEvent.click(screen.getByRole('button', { name: 'Approve' }));
    await waitFor(() =>
      expect(api.decideOperation).toHaveBeenCalledWith(
        'operation-1',
        'approve',
        'checked with risk',
      ),
    );
  });

  it('offers no decision to who asked', async () => {
    api.listOperations.mockResolvedValue([operation()]);
    renderPage('approvals', 'user:default/alice');
    expect(
      await screen.findByText(/somebody else of group:default\/reliability/),
    ).toBeInTheDocument();
    expect(screen.queryByRole('button', { name: 'Approve' })).toBeNull();
  });

  it('lists what a person has to do, and tries again what is left', async () => {
    api.listOperations.mockResolvedValue([
      operation({
        kind: 'undo',
        state: 'partial',
        steps: [
          {
            id: 'a',
            title: 'Git repository card-limits',
            change: 'manual',
            detail: 'Somebody pushed since.',
            status: 'manual',
            message: 'Delete it by hand when its commits are safe.',
          },
        ],
      }),
    ]);
    api.retryOperation.mockResolvedValue(operation({ state: 'running' }));
    renderPage('operations');
    expect(await screen.findByText(/Delete it by hand/)).toBeInTheDocument();
    await userEvent.click(
      screen.getByRole('button', { name: 'Try again what is left' }),
    );
    await waitFor(() =>
      expect(api.retryOperation).toHaveBeenCalledWith('operation-1'),
    );
  });

  it('lists environments with cost and end, prolongs and removes them', async () => {
    const [local, branch] = environments();
    api.extendEnvironment.mockResolvedValue(branch);
    api.plan.mockResolvedValue(plan({ kind: 'environment-delete' }));
    renderPage('environments');
    const list = await screen.findByRole('list', { name: 'On demand' });
    expect(screen.getByRole('list', { name: 'Standing' })).toHaveTextContent(
      local.title,
    );
    expect(list).toHaveTextContent('2 EUR a day');
    expect(list).toHaveTextContent('can be prolonged 1 time');
    await userEvent.click(
      within(list).getByRole('button', { name: 'Prolong' }),
    );
    await waitFor(() =>
      expect(api.extendEnvironment).toHaveBeenCalledWith('pr-31-travel'),
    );
    await userEvent.click(
      within(list).getByRole('button', { name: 'Remove…' }),
    );
    await userEvent.click(
      await screen.findByRole('button', { name: 'Show the plan' }),
    );
    await waitFor(() =>
      expect(api.plan).toHaveBeenCalledWith({
        kind: 'environment-delete',
        subject: 'component:default/card-limits',
        environment: 'pr-31-travel',
        input: { name: 'pr-31-travel' },
      }),
    );
  });
});
