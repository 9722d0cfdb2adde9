import { screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { mockProvisioningApi } from '../../__testUtils__/api';
import { renderForm } from '../../__testUtils__/form';
import { provisioningApiRef } from '../../api/ProvisioningApi';
import { explainServiceName } from './rules';

jest.setTimeout(60_000);

const name = {
  title: 'Name',
  type: 'string',
  'ui:field': 'RocketServiceName',
};

describe.each(['bui', 'mui'] as const)('RocketServiceName in %s', theme => {
  const api = mockProvisioningApi();
  beforeEach(() => {
    api.checkName.mockReset();
    api.checkName.mockImplementation(async asked =>
      asked === 'ledger-service'
        ? {
            name: asked,
            available: false,
            reason: 'component:default/ledger-service has it',
          }
        : { name: asked, available: true },
    );
  });
  const render = () =>
    renderForm({
      theme,
      properties: { name },
      required: ['name'],
      apis: [[provisioningApiRef, api]],
    });

  it('says at once whether the name can be used, and asks only what can be a name', async () => {
    await render();
    const user = userEvent.setup();
    const box = await screen.findByRole('textbox', { name: /Name/ });
    await user.type(box, 'ledger-service');
    expect(
      await screen.findByText(
        '"ledger-service" is taken: component:default/ledger-service has it',
      ),
    ).toBeInTheDocument();
    expect(api.checkName.mock.lastCall?.[0]).toBe('ledger-service');
    await user.type(box, '-two');
    expect(
      await screen.findByText('"ledger-service-two" is free'),
    ).toBeInTheDocument();

    await user.clear(box);
    await user.type(box, 'Ledger Service');
    expect(
      await screen.findByText('Use small letters only'),
    ).toBeInTheDocument();
    expect(api.checkName.mock.lastCall?.[0]).toBe('ledger-service-two');
  });

  it('does not go on with a taken name, and does with a free one', async () => {
    const created = await render();
    const user = userEvent.setup();
    const box = await screen.findByRole('textbox', { name: /Name/ });
    await user.type(box, 'ledger-service');
    await user.click(screen.getByRole('button', { name: 'Review' }));
    await waitFor(() =>
      expect(
        screen.getAllByText(/"ledger-service" is taken/).length,
      ).toBeGreaterThan(0),
    );
    expect(screen.queryByRole('button', { name: 'Create' })).toBeNull();

    await user.type(box, '-two');
    await user.click(screen.getByRole('button', { name: 'Review' }));
    await user.click(await screen.findByRole('button', { name: 'Create' }));
    await waitFor(() =>
      expect(created).toEqual([{ name: 'ledger-service-two' }]),
    );
  });

  it('says so when nobody can tell, and does not go on', async () => {
    api.checkName.mockRejectedValue(new Error('Provisioning does not answer'));
    await render();
    const user = userEvent.setup();
    await user.type(
      await screen.findByRole('textbox', { name: /Name/ }),
      'card-limits',
    );
    expect(
      await screen.findByText(
        'Whether the name is free could not be checked: Provisioning does not answer',
      ),
    ).toBeInTheDocument();
    await user.click(screen.getByRole('button', { name: 'Review' }));
    expect(
      (await screen.findAllByText(/Whether "card-limits" is free could not be/))
        .length,
    ).toBeGreaterThan(0);
    expect(screen.queryByRole('button', { name: 'Create' })).toBeNull();
  });
});

it.each([
  ['card-limits', undefined],
  ['ab', 'Use at least 3 characters'],
  ['a'.repeat(64), 'Use at most 63 characters; these are 64'],
  ['Card', 'Use small letters only'],
  ['1card', 'Begin with a letter'],
  ['card limits', 'Use small letters, digits and hyphens only, not spaces'],
  ['card/../x', 'Use small letters, digits and hyphens only, not "/"'],
  ['card${x}', 'Use small letters, digits and hyphens only, not "$"'],
  ['card-', 'End with a letter or a digit'],
])('explains %s', (text, expected) => {
  expect(explainServiceName(text)).toBe(expected);
});
