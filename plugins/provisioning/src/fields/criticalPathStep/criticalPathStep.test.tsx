import { catalogApiRef } from '@backstage/plugin-catalog-react';
import { catalogApiMock } from '@backstage/plugin-catalog-react/testUtils';
import { act, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { renderForm } from '../../__testUtils__/form';
import { validateCriticalPathStep } from './rules';

jest.setTimeout(60_000);

function path(
  name: string,
  title: string,
  businessModel: string,
  steps: object[],
) {
  return {
    apiVersion: 'rocket.internal/v1alpha1',
    kind: 'CriticalPath',
    metadata: { name, namespace: 'default', title },
    spec: {
      owner: 'group:default/ledger',
      businessModel,
      type: 'transaction',
      lifecycle: 'production',
      steps,
    },
  };
}

function component(name: string, annotations: Record<string, string> = {}) {
  return {
    apiVersion: 'backstage.io/v1alpha1',
    kind: 'Component',
    metadata: { name, namespace: 'default', uid: name, annotations },
    spec: { type: 'service', lifecycle: 'production', owner: 'ledger' },
  };
}

const entities = [
  path(
    'transaction-posting',
    'Transaction posting',
    'domain:default/payments',
    [
      {
        name: 'post',
        title: 'Post the transaction',
        component: 'component:default/transaction-service',
      },
      {
        name: 'book',
        title: 'Book in the ledger',
        component: 'component:default/nobody',
      },
    ],
  ),
  path('card-authorization', 'Card authorization', 'domain:default/issuing', [
    { name: 'receive', component: 'component:default/card-gateway' },
  ]),
  { ...path('broken', 'Broken', 'x', []), spec: {} },
  component('transaction-service'),
  component('card-gateway'),
  component('helper', {
    'rocket.internal/critical-path': 'criticalpath:default/transaction-posting',
    'rocket.internal/critical-path-step': 'post',
  }),
];

const properties = {
  businessModel: { title: 'Business model', type: 'string' },
  path: {
    title: 'Critical path and step',
    type: 'object',
    required: ['criticalPath', 'step'],
    properties: {
      criticalPath: { type: 'string' },
      step: { type: 'string' },
    },
    'ui:field': 'RocketCriticalPathStep',
  },
};

describe.each(['bui', 'mui'] as const)(
  'RocketCriticalPathStep in %s',
  theme => {
    const render = () =>
      renderForm({
        theme,
        properties,
        required: ['path'],
        apis: [catalogApiMock({ entities })],
      });

    it('is chosen with the keyboard and shows who serves each step', async () => {
      const created = await render();
      const user = userEvent.setup();
      const select = await screen.findByRole('button', {
        name: /Critical path and step/,
      });
      act(() => select.focus());
      await user.keyboard('{Enter}');
      const list = await screen.findByRole('listbox');
      expect(
        within(list)
          .getAllByRole('option')
          .map(option => option.textContent),
      ).toEqual(['Card authorization', 'Transaction posting']);
      await user.keyboard('{ArrowDown}{Enter}');

      const steps = await screen.findByRole('radiogroup', { name: /Step/ });
      await waitFor(() =>
        expect(steps).toHaveTextContent(
          'Served now by transaction-service, helper',
        ),
      );
      const [post, book] = within(steps).getAllByRole('radio');
      expect(post).toHaveAccessibleName(
        /1\. Post the transaction.*Entry step: the path's own figures are measured here/,
      );
      expect(book).toHaveAccessibleName(
        /2\. Book in the ledger Served by no application yet/,
      );

      await user.click(screen.getByRole('button', { name: 'Review' }));
      expect(
        await screen.findByText('Choose the step that the service serves.'),
      ).toBeInTheDocument();

      await user.click(book);
      await user.click(screen.getByRole('button', { name: 'Review' }));
      await user.click(await screen.findByRole('button', { name: 'Create' }));
      await waitFor(() =>
        expect(created).toMatchObject([
          {
            path: {
              criticalPath: 'criticalpath:default/transaction-posting',
              step: 'book',
            },
          },
        ]),
      );
    });

    it('offers only the paths of the chosen business model', async () => {
      await render();
      const user = userEvent.setup();
      const model = await screen.findByRole('textbox', {
        name: /Business model/,
      });
      await user.type(model, 'domain:default/issuing');
      const select = await screen.findByRole('button', {
        name: /Critical path and step/,
      });
      await user.click(select);
      await user.click(
        await screen.findByRole('option', { name: 'Card authorization' }),
      );
      // A path with one step leaves no choice.
      expect(
        await screen.findByRole('radio', { name: /receive/ }),
      ).toBeChecked();

      await user.clear(model);
      await user.type(model, 'payments');
      expect(
        await screen.findByText(
          /Card authorization does not belong to payments/,
        ),
      ).toBeInTheDocument();
      await user.clear(model);
      await user.type(model, 'acquiring');
      expect(
        await screen.findByText(/No critical path belongs to acquiring/),
      ).toBeInTheDocument();
    });
  },
);

describe('validateCriticalPathStep', () => {
  async function errorsOf(value: object, formData: object = {}) {
    const errors: string[] = [];
    await validateCriticalPathStep(
      value,
      { addError: message => errors.push(message) },
      {
        apiHolder: {
          get: ref =>
            (ref.id === catalogApiRef.id
              ? catalogApiMock({ entities })
              : undefined) as never,
        },
        formData,
      },
    );
    return errors;
  }
  const posting = 'criticalpath:default/transaction-posting';

  it.each([
    [{ criticalPath: posting, step: 'post' }, {}, []],
    [{}, {}, []],
    [{ criticalPath: posting }, {}, [/Choose the step/]],
    [
      { criticalPath: posting, step: 'x' },
      {},
      [/no step "x"; it has post, book/],
    ],
    [
      { criticalPath: 'criticalpath:default/gone', step: 'x' },
      {},
      [/no longer in the catalog/],
    ],
    [
      { criticalPath: posting, step: 'post' },
      { businessModel: 'domain:default/issuing' },
      [
        /belongs to domain:default\/payments, not to the chosen domain:default\/issuing/,
      ],
    ],
  ])('%j with %j', async (value, formData, expected) => {
    expect(await errorsOf(value, formData)).toEqual(
      expected.map(message => expect.stringMatching(message)),
    );
  });
});
