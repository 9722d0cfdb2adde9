import { mockApis, renderInTestApp } from '@backstage/frontend-test-utils';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import { screen } from '@testing-library/react';
import { QueryRoot } from '@rocket/rocket-react';
import { mockProvisioningApi } from '../__testUtils__/api';
import { serviceStatus } from '../__testUtils__/fixtures';
import { provisioningApiRef } from '../api/ProvisioningApi';
import { ServiceActions } from './ServiceActions';

// In a file of its own: permissions stay in the browser's memory between tests.
it('offers no buttons to those who may not press them', async () => {
  renderInTestApp(
    <QueryRoot>
      <ServiceActions service={serviceStatus()} />
    </QueryRoot>,
    {
      apis: [
        [provisioningApiRef, mockProvisioningApi()],
        mockApis.permission({ authorize: AuthorizeResult.DENY }),
      ],
    },
  );
  expect(
    await screen.findByText('You may look at this service, not operate it.'),
  ).toBeInTheDocument();
  expect(screen.queryByRole('button')).toBeNull();
});
