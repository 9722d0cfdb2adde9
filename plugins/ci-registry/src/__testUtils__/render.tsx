import { ResponseError } from '@backstage/errors';
import type { Entity } from '@backstage/catalog-model';
import {
  AppRootElementBlueprint,
  createFrontendModule,
} from '@backstage/frontend-plugin-api';
import { mockApis, renderTestApp } from '@backstage/frontend-test-utils';
import { AppRootWrapperBlueprint } from '@backstage/plugin-app-react';
import { entityRouteRef } from '@backstage/plugin-catalog-react';
import {
  catalogApiMock,
  createTestEntityPage,
} from '@backstage/plugin-catalog-react/testUtils';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import axe from 'axe-core';
import type { ReactNode } from 'react';
import { useLocation } from 'react-router-dom';
import { SWRConfig } from 'swr';
import plugin, { ciRegistryApiRef, type CiRegistryApi } from '..';
import { fixtureApi } from './api';

/** A failure as the client reports it. */
export function httpError(status: number, message = 'it broke') {
  return ResponseError.fromResponse(
    Response.json(
      { error: { name: 'Error', message }, response: { statusCode: status } },
      { status },
    ),
  );
}

/** The API over the fixtures, told now. */
export function mockApi(): jest.Mocked<CiRegistryApi> {
  const api = fixtureApi({ now: Date.now() });
  return Object.fromEntries(
    Object.entries(api).map(([name, call]) => [name, jest.fn(call as never)]),
  ) as unknown as jest.Mocked<CiRegistryApi>;
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

/** An entity on whose page the plugin's tabs and cards appear. */
export function testEntity(
  kind: string,
  name: string,
  annotations?: Record<string, string>,
): Entity {
  return {
    apiVersion: 'backstage.io/v1alpha1',
    kind,
    metadata: { name, namespace: 'default', annotations },
    spec: {},
  };
}

const ENTITY_PATH = '/catalog/:namespace/:kind/:name';

interface RenderOptions {
  api?: CiRegistryApi;
  /** Whether the reader may see decisions. */
  mayAudit?: boolean;
}

function renderAt(
  path: string,
  options: RenderOptions,
  rest: Pick<
    NonNullable<Parameters<typeof renderTestApp>[0]>,
    'extensions' | 'mountedRoutes' | 'config'
  >,
) {
  return renderTestApp({
    ...rest,
    features: [plugin, ownMemory],
    extensions: [
      AppRootElementBlueprint.make({
        name: 'address-bar',
        params: { element: <AddressBar /> },
      }),
      ...(rest.extensions ?? []),
    ],
    apis: [
      [ciRegistryApiRef, options.api ?? mockApi()],
      catalogApiMock(),
      mockApis.identity({
        userEntityRef: 'user:default/guest',
        ownershipEntityRefs: ['user:default/guest', 'group:default/ledger'],
      }),
      mockApis.permission({
        authorize: options.mayAudit
          ? AuthorizeResult.ALLOW
          : AuthorizeResult.DENY,
      }),
    ],
    initialRouteEntries: [path],
  });
}

/** Renders the plugin at an address, through its own extensions. */
export function renderPlugin(path: string, options: RenderOptions = {}) {
  return renderAt(path, options, {
    mountedRoutes: { [ENTITY_PATH]: entityRouteRef },
  });
}

/** Renders a tab of an entity's page: the last part of its address, with what follows it. */
export function renderEntityTab(
  entity: Entity,
  tab: string,
  options: RenderOptions = {},
) {
  const { kind, metadata } = entity;
  return renderAt(
    `/catalog/default/${kind.toLowerCase()}/${metadata.name}/${tab}`,
    options,
    {
      extensions: [createTestEntityPage({ entity })],
      config: {
        app: {
          baseUrl: 'http://localhost:3000',
          // By itself the test page stands at `/` and has no room for tabs.
          extensions: [
            { 'page:test/test-entity': { config: { path: ENTITY_PATH } } },
          ],
        },
        backend: { baseUrl: 'http://localhost:7007' },
      },
    },
  );
}

/** What axe finds wrong in an element. Colours cannot be judged without a layout. */
export async function accessibilityProblems(
  element: Element = document.body,
): Promise<string[]> {
  const { violations } = await axe.run(element, {
    rules: {
      'color-contrast': { enabled: false },
      // The frame of the app is not part of what is rendered here.
      region: { enabled: false },
      'landmark-one-main': { enabled: false },
      'page-has-heading-one': { enabled: false },
      'heading-order': { enabled: false },
    },
  });
  return violations.map(
    ({ id, help, nodes }) =>
      `${id}: ${help} (${nodes
        .map(node => node.html.slice(0, 160))
        .join(' ')})`,
  );
}
