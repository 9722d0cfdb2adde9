import { ResponseError } from '@backstage/errors';
import {
  AppRootElementBlueprint,
  createFrontendModule,
  type ExtensionDefinition,
} from '@backstage/frontend-plugin-api';
import { mockApis, renderTestApp } from '@backstage/frontend-test-utils';
import { AppRootWrapperBlueprint } from '@backstage/plugin-app-react';
import { entityRouteRef } from '@backstage/plugin-catalog-react';
import { catalogApiMock } from '@backstage/plugin-catalog-react/testUtils';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import type { ReactNode } from 'react';
import { useLocation } from 'react-router-dom';
import { SWRConfig } from 'swr';
import type { AlertsResponse } from '@rocket/plugin-critical-paths-common';
import plugin, { criticalPathsApiRef, type CriticalPathsApi } from '..';
import { workflowsApiRef, type WorkflowsApi } from '../api/workflowsApi';
import {
  makeBoard,
  makeComponentPaths,
  makePath,
  makeSignalBoard,
  makeTeams,
  policyApi,
} from './fixtures';
import { mockWorkflowsApi } from './workflows';

/** The moment of all figures in tests. */
export const NOW = Date.UTC(2026, 10, 21, 12);

/** A failure as the client reports it. */
export function httpError(status: number, message = 'it broke') {
  return ResponseError.fromResponse(
    Response.json(
      { error: { name: 'Error', message }, response: { statusCode: status } },
      { status },
    ),
  );
}

function mockPolicy() {
  const api = policyApi(async value => value);
  return {
    getHistory: jest.fn(api.getHistory),
    getServiceLevelsOfPath: jest.fn(api.getServiceLevelsOfPath),
    getGate: jest.fn(api.getGate),
    // Tests about pages and tickets bring some.
    getAlerts: jest.fn(
      async (_options?: object): Promise<AlertsResponse> => ({
        alerts: [],
      }),
    ),
    declareMaintenance: jest.fn(api.declareMaintenance),
    withdrawMaintenance: jest.fn(api.withdrawMaintenance),
    resetBudget: jest.fn(api.resetBudget),
  };
}

/** The API over the fixtures, with the pages and tickets of `makeAlerts`. */
export function mockApiWithAlerts(): jest.Mocked<CriticalPathsApi> {
  const { getAlerts } = policyApi(async value => value);
  return { ...mockApi(), getAlerts: jest.fn(getAlerts) };
}

/** The API over the fixtures. */
export function mockApi(): jest.Mocked<CriticalPathsApi> {
  return {
    getBoard: jest.fn(async ({ window = '24h' } = {}) =>
      makeBoard({ now: NOW, window }),
    ),
    getSignalBoard: jest.fn(async (signal, { window = '24h' } = {}) =>
      makeSignalBoard({ now: NOW, window }, signal),
    ),
    getTeams: jest.fn(async ({ window = '24h' } = {}) =>
      makeTeams({ now: NOW, window }),
    ),
    getCsv: jest.fn(async (_board, _options) => 'path,uptime'),
    ...mockPolicy(),
    getPath: jest.fn(async ({ name }, { window = '24h' } = {}) => {
      const path = makePath({ now: NOW, window }, name);
      if (!path) {
        throw await httpError(404);
      }
      return path;
    }),
    getComponentPaths: jest.fn(async ({ name }, { window = '24h' } = {}) =>
      makeComponentPaths({ now: NOW, window }, name),
    ),
  };
}

let current = '';

/** What the address bar would show. */
export function address(): string {
  return current;
}

/** What one test may must not be remembered for the next: Backstage keeps answers about permissions for seconds. */
const ownMemory = createFrontendModule({
  pluginId: 'app',
  extensions: [
    AppRootWrapperBlueprint.make({
      name: 'own-memory',
      params: {
        component: ({ children }: { children?: ReactNode }) => (
          <SWRConfig value={{ provider: () => new Map() }}>
            {children}
          </SWRConfig>
        ),
      },
    }),
  ],
});

function AddressBar() {
  const { pathname, search } = useLocation();
  current = `${pathname}${search}`;
  return null;
}

/** Renders the plugin at an address, through its own extensions. */
export function renderPlugin(
  path: string,
  options: {
    api?: CriticalPathsApi;
    workflows?: WorkflowsApi;
    extensions?: ExtensionDefinition[];
    /** Whether the reader may declare downtime and reset budgets. */
    mayManage?: boolean;
  } = {},
) {
  const {
    api = mockApi(),
    workflows = mockWorkflowsApi(NOW, []),
    extensions = [],
  } = options;
  return renderTestApp({
    features: [plugin, ownMemory],
    extensions: [
      AppRootElementBlueprint.make({
        name: 'address-bar',
        params: { element: <AddressBar /> },
      }),
      ...extensions,
    ],
    apis: [
      [criticalPathsApiRef, api],
      [workflowsApiRef, workflows],
      catalogApiMock(),
      mockApis.identity({ userEntityRef: 'user:default/guest' }),
      mockApis.permission({
        authorize: options.mayManage
          ? AuthorizeResult.ALLOW
          : AuthorizeResult.DENY,
      }),
    ],
    mountedRoutes: {
      '/catalog/:namespace/:kind/:name': entityRouteRef,
    },
    initialRouteEntries: [path],
  });
}
