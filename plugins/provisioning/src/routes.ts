import { createRouteRef } from '@backstage/frontend-plugin-api';

/** The page "Delivery". */
export const rootRouteRef = createRouteRef();
