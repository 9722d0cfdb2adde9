import { mockApis, renderInTestApp } from '@backstage/frontend-test-utils';
import { screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { http, HttpResponse } from 'msw';
import { setupServer } from 'msw/node';
import { registerMswTestHooks } from '@backstage/frontend-test-utils';
import { RocketSignInPage } from './RocketSignInPage';

const server = setupServer();
registerMswTestHooks(server);

const apis = () => [
  mockApis.discovery({ baseUrl: 'http://localhost:7007' }),
  mockApis.config({ data: {} }),
];

describe('RocketSignInPage', () => {
  beforeEach(() => sessionStorage.clear());

  it('enters as the guest of this machine', async () => {
    server.use(
      http.get('http://localhost:7007/api/auth/guest/refresh', () =>
        HttpResponse.json({
          profile: {},
          backstageIdentity: {
            token: 'a.e30.b',
            expiresInSeconds: 3600,
            identity: {
              type: 'user',
              userEntityRef: 'user:default/guest',
              ownershipEntityRefs: ['user:default/guest'],
            },
          },
        }),
      ),
    );
    const onSignInSuccess = jest.fn();
    renderInTestApp(<RocketSignInPage onSignInSuccess={onSignInSuccess} />, {
      apis: apis() as any,
    });
    await userEvent.click(await screen.findByRole('button', { name: 'Enter' }));
    await waitFor(() => expect(onSignInSuccess).toHaveBeenCalledTimes(1));
    expect(screen.queryByText('Welcome')).not.toBeInTheDocument();
  });

  it('shows why the backend refuses a guest from elsewhere, and lets them try again', async () => {
    server.use(
      http.get('http://localhost:7007/api/auth/guest/refresh', () =>
        HttpResponse.json(
          {
            error: {
              name: 'NotAllowedError',
              message:
                'Guest sign-in works only on the machine that runs Rocket',
            },
          },
          { status: 403 },
        ),
      ),
    );
    const onSignInSuccess = jest.fn();
    renderInTestApp(<RocketSignInPage onSignInSuccess={onSignInSuccess} />, {
      apis: apis() as any,
    });
    await userEvent.click(await screen.findByRole('button', { name: 'Enter' }));
    expect(
      await screen.findByText(/only on the machine that runs Rocket/),
    ).toBeInTheDocument();
    expect(
      screen.getByRole('button', { name: 'Try again' }),
    ).toBeInTheDocument();
    expect(onSignInSuccess).not.toHaveBeenCalled();
  });
});
