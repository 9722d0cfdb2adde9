import {
  RELATION_DEPENDENCY_OF,
  RELATION_DEPENDS_ON,
  RELATION_HAS_PART,
  RELATION_OWNED_BY,
  RELATION_OWNER_OF,
  RELATION_PART_OF,
  parseEntityRef,
  stringifyEntityRef,
  type Entity,
} from '@backstage/catalog-model';
import { InputError } from '@backstage/errors';
import type { LocationSpec } from '@backstage/plugin-catalog-common';
import {
  processingResult,
  type CatalogProcessor,
  type CatalogProcessorEmit,
} from '@backstage/plugin-catalog-node';
import {
  CRITICAL_PATH_KIND,
  parseCriticalPath,
  readJoinRequest,
} from '@rocket/plugin-critical-paths-common';

function isCriticalPath(entity: Entity): boolean {
  return (
    entity.kind.toLocaleLowerCase('en-US') ===
    CRITICAL_PATH_KIND.toLocaleLowerCase('en-US')
  );
}

/**
 * Makes CriticalPath a kind of the catalog: checks it with messages that name
 * the field and the way out, and relates it to its owner, its business model
 * and its components, those included that join it by annotation.
 *
 * A path may name a component that the catalog does not have: the relation then
 * points to nothing, and the path's page says so.
 */
export class CriticalPathProcessor implements CatalogProcessor {
  getProcessorName(): string {
    return 'CriticalPathProcessor';
  }

  async validateEntityKind(entity: Entity): Promise<boolean> {
    if (isCriticalPath(entity)) {
      parseCriticalPath(entity);
      return true;
    }
    if (entity.kind === 'Component') {
      const request = readJoinRequest(entity);
      if (request?.error !== undefined) {
        throw new InputError(request.error);
      }
    }
    // Whether a Component is valid otherwise is for others to say.
    return false;
  }

  async postProcessEntity(
    entity: Entity,
    _location: LocationSpec,
    emit: CatalogProcessorEmit,
  ): Promise<Entity> {
    const self = stringifyEntityRef(entity);
    const relate = (
      source: string,
      type: string,
      target: string,
      reverse: string,
    ) => {
      const from = parseEntityRef(source);
      const to = parseEntityRef(target);
      emit(processingResult.relation({ source: from, type, target: to }));
      emit(
        processingResult.relation({ source: to, type: reverse, target: from }),
      );
    };
    if (isCriticalPath(entity)) {
      const path = parseCriticalPath(entity);
      relate(self, RELATION_OWNED_BY, path.owner, RELATION_OWNER_OF);
      relate(self, RELATION_PART_OF, path.businessModel, RELATION_HAS_PART);
      for (const ref of new Set(path.steps.map(step => step.componentRef))) {
        relate(self, RELATION_DEPENDS_ON, ref, RELATION_DEPENDENCY_OF);
      }
    } else if (entity.kind === 'Component') {
      const request = readJoinRequest(entity);
      if (request && request.error === undefined) {
        relate(
          request.pathRef,
          RELATION_DEPENDS_ON,
          self,
          RELATION_DEPENDENCY_OF,
        );
      }
    }
    return entity;
  }
}
