import { parseEntityRef, stringifyEntityRef } from '@backstage/catalog-model';
import { InputError } from '@backstage/errors';
import type { PushRequest } from '@rocket/plugin-ci-registry-common';
import { quote } from './refusal';

/** An entity that a push names. */
export interface NamedEntity {
  ref: string;
  kind: string;
  namespace: string;
  field: string;
}

/** What a push names, as far as rules speak of it. */
export interface Named {
  /** Written or given up, so their kind counts. */
  entities: NamedEntity[];
  owners: { field: string; ref: string | undefined; entity: string }[];
  /** Reported on. */
  subjects: NamedEntity[];
  environments: { field: string; name: string }[];
}

function named(
  text: unknown,
  field: string,
  defaultKind: string,
  defaultNamespace = 'default',
): NamedEntity {
  try {
    const { kind, namespace, name } = parseEntityRef(text as string, {
      defaultKind,
      defaultNamespace,
    });
    const lower = (part: string) => part.toLocaleLowerCase('en-US');
    return {
      ref: stringifyEntityRef({ kind, namespace, name }),
      kind: lower(kind),
      namespace: lower(namespace),
      field,
    };
  } catch {
    throw new InputError(
      `${field}: ${quote(
        text,
      )} is not an entity reference, for example ${defaultKind}:default/ledger-service`,
    );
  }
}

/** Reads the names out of a push; `InputError` for what is no name. */
export function readNamed(request: PushRequest): Named {
  const result: Named = {
    entities: [],
    owners: [],
    subjects: [],
    environments: [],
  };
  (request.entities ?? []).forEach((entity, index) => {
    const field = `entities.${index}`;
    const { name, namespace = 'default' } = entity?.metadata ?? {};
    if (
      [entity?.kind, name, namespace].some(
        part => typeof part !== 'string' || !part || /[:/]/.test(part),
      )
    ) {
      throw new InputError(
        `${field} must have a kind, a metadata.name and, if any, a metadata.namespace, each a text without ":" and "/"`,
      );
    }
    const found = named(
      `${entity.kind}:${namespace}/${name}`,
      field,
      'component',
    );
    result.entities.push(found);
    const owner = entity.spec?.owner;
    result.owners.push({
      field: `${field}.spec.owner`,
      entity: found.ref,
      ref:
        owner === undefined
          ? undefined
          : named(owner, `${field}.spec.owner`, 'group', found.namespace).ref,
    });
  });
  (request.removed ?? []).forEach((ref, index) =>
    result.entities.push(named(ref, `removed.${index}`, 'component')),
  );
  (request.documents ?? []).forEach((document, index) => {
    const field = `documents.${index}`;
    result.entities.push(named(document.api, `${field}.api`, 'api'));
    result.subjects.push(
      named(document.component, `${field}.component`, 'component'),
    );
  });
  (request.builds ?? []).forEach((build, index) =>
    result.subjects.push(
      named(build.component, `builds.${index}.component`, 'component'),
    ),
  );
  (request.deployments ?? []).forEach((deployment, index) => {
    const field = `deployments.${index}`;
    result.subjects.push(
      named(deployment.component, `${field}.component`, 'component'),
    );
    result.environments.push({
      field: `${field}.environment`,
      name: String(deployment.environment),
    });
  });
  return result;
}
