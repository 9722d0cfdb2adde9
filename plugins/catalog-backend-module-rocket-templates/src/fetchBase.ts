import path from 'node:path';
import type { Entity } from '@backstage/catalog-model';
import { InputError } from '@backstage/errors';
import type { ScmIntegrationRegistry } from '@backstage/integration';
import type { LocationSpec } from '@backstage/plugin-catalog-common';

/**
 * On a Template: a file in one of the folders above it, relative to the template's own file. The relative addresses of its fetch
 * steps start in the folder of that file, so that several templates can share skeletons. The file itself need not exist.
 */
export const FETCH_BASE_ANNOTATION = 'rocket.internal/fetch-base';

const UPWARDS = /^(\.\.\/){1,3}[\w-][\w.-]*$/;

/**
 * Where the relative addresses of this template's fetch steps start, as the value of `backstage.io/source-location`.
 * Undefined when the template does not ask for it, or when it comes from a place that has no folders.
 */
export function fetchBase(
  entity: Entity,
  location: LocationSpec,
  integrations: ScmIntegrationRegistry,
): LocationSpec | undefined {
  const asked = entity.metadata.annotations?.[FETCH_BASE_ANNOTATION];
  if (asked === undefined) return undefined;
  if (!UPWARDS.test(asked)) {
    throw new InputError(
      `metadata.annotations.${FETCH_BASE_ANNOTATION} must be a file in a folder above the template, for example ../all.yaml, was "${asked}"`,
    );
  }
  if (location.type === 'file') {
    const target = path.resolve(path.dirname(location.target), asked);
    return { type: 'file', target };
  }
  const integration =
    location.type === 'url' ? integrations.byUrl(location.target) : undefined;
  if (integration === undefined) return undefined;
  const target = integration.resolveUrl({ url: asked, base: location.target });
  return { type: 'url', target };
}
