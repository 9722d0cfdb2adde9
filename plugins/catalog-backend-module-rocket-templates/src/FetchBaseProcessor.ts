import {
  ANNOTATION_SOURCE_LOCATION,
  stringifyLocationRef,
  type Entity,
} from '@backstage/catalog-model';
import type { ScmIntegrationRegistry } from '@backstage/integration';
import type { LocationSpec } from '@backstage/plugin-catalog-common';
import type { CatalogProcessor } from '@backstage/plugin-catalog-node';
import { fetchBase } from './fetchBase';

/**
 * The scaffolder resolves `./skeleton` of a template against its `backstage.io/source-location`, and reads nothing outside that
 * folder. This processor sets the annotation for templates that ask for a folder further up. One that was set by hand stays;
 * the links to view and edit the template are made from its location, which is not touched.
 */
export class FetchBaseProcessor implements CatalogProcessor {
  readonly #integrations: ScmIntegrationRegistry;

  constructor(integrations: ScmIntegrationRegistry) {
    this.#integrations = integrations;
  }

  getProcessorName(): string {
    return 'RocketTemplateFetchBaseProcessor';
  }

  /** Before the catalog's own AnnotateLocationEntityProcessor (20): what is there then was set by hand. */
  getPriority(): number {
    return 10;
  }

  async preProcessEntity(
    entity: Entity,
    location: LocationSpec,
  ): Promise<Entity> {
    if (entity.kind !== 'Template') return entity;
    const annotations = entity.metadata?.annotations;
    if (annotations?.[ANNOTATION_SOURCE_LOCATION] !== undefined) return entity;
    const base = fetchBase(entity, location, this.#integrations);
    if (base === undefined) return entity;
    return {
      ...entity,
      metadata: {
        ...entity.metadata,
        annotations: {
          ...annotations,
          [ANNOTATION_SOURCE_LOCATION]: stringifyLocationRef(base),
        },
      },
    };
  }
}
