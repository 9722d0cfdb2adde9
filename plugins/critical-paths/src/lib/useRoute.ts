import {
  routeResolutionApiRef,
  useApi,
  type useRouteRef,
  type RouteResolutionApi,
} from '@backstage/frontend-plugin-api';
import { useLocation } from 'react-router-dom';

/** The last answer for each route, of one portal. */
const answers = new WeakMap<
  RouteResolutionApi,
  Map<unknown, { pathname: string; route: unknown }>
>();

/**
 * `useRouteRef` for what a table has in every row: resolving a route walks
 * through all routes of the portal, and the answer is the same for all rows.
 */
export const useRoute: typeof useRouteRef = ref => {
  const { pathname } = useLocation();
  const api = useApi(routeResolutionApiRef);
  const resolve = () => api.resolve(ref, { sourcePath: pathname });
  const known = answers.get(api)?.get(ref);
  if (known?.pathname === pathname) {
    return known.route as ReturnType<typeof resolve>;
  }
  const route = resolve();
  // A route that is not there may only not be there yet.
  if (route) {
    const ofPortal = answers.get(api) ?? new Map();
    answers.set(api, ofPortal.set(ref, { pathname, route }));
  }
  return route;
};
