import {
  createRouteRef,
  createSubRouteRef,
} from '@backstage/frontend-plugin-api';

/** The board. */
export const rootRouteRef = createRouteRef();

/** The page of one critical path. */
export const pathRouteRef = createSubRouteRef({
  parent: rootRouteRef,
  path: '/:namespace/:name',
});
