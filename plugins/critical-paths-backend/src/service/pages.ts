import type { BackstageCredentials } from '@backstage/backend-plugin-api';
import type { BoardWindow } from '@rocket/plugin-critical-paths-common';
import type { BodyRequest } from './Bodies';
import { pathCsv } from './csv';
import type { PathService } from './PathService';

const FRESH_MS = 15_000;
/** A page that is older than fresh, but not than this, is handed out while it is made again. */
const STALE_MS = 60_000;
/** Pages of 200 paths over three windows, some 15 kB each. */
export const MAX_PAGES = 700;

/**
 * The page of a path as a written answer.
 *
 * @throws NotFoundError when there is no such path or the caller may not see it
 */
export async function pageRequest(
  service: PathService,
  pathRef: string,
  window: BoardWindow,
  credentials: BackstageCredentials,
  type: 'json' | 'csv' = 'json',
): Promise<BodyRequest> {
  return {
    ...(await service.pathKey(pathRef, window, credentials)),
    type,
    filename:
      type === 'csv' ? `${pathRef.split('/')[1]}-${window}.csv` : undefined,
    freshMs: FRESH_MS,
    staleMs: STALE_MS,
    make: async () => {
      const path = await service.path(pathRef, window, credentials);
      return type === 'csv' ? pathCsv(path) : path;
    },
  };
}
