import path from 'node:path';
import type { Entity } from '../types';
import type { Collected } from './collect';
import { stepNames } from './criticalPath';
import type { CatalogDocument, FieldPath } from './documents';
import { inline, PlaceholderError } from './inline';
import { checkEntity, PATH_ANNOTATION } from './kinds';
import type { Problem } from './problems';
import { refOf } from './refs';

/** What is asked of a repository beyond the catalog's own rules. */
export interface CheckOptions {
  /** The repository's top folder. */
  root: string;
  /** Refs that exist elsewhere; undefined when nobody said. */
  known?: Set<string>;
  /** Annotations that entities of a kind (lower case) must have. */
  required: { kind: string; annotation: string }[];
  /** What a service on no critical path is worth. */
  membership: 'off' | 'warning' | 'error';
}

export interface CheckedCatalog {
  /** With their files put in; in the order of `documents`. */
  entities: Entity[];
  /** Where each of them stands. */
  documents: CatalogDocument[];
  problems: Problem[];
  /** Refs that are not in the repository, when nobody said what exists elsewhere. */
  unchecked: string[];
}

/** Checks everything that can be known without the portal. */
export function checkCatalog(
  collected: Collected,
  options: CheckOptions,
): CheckedCatalog {
  const problems = [...collected.problems];
  const entities: Entity[] = [];
  const documents: CatalogDocument[] = [];
  const places = new Map<string, CatalogDocument>();
  const steps = new Map<string, string[]>();
  const relations: {
    document: CatalogDocument;
    field: FieldPath;
    ref: string;
    from?: string;
    step?: string;
  }[] = [];

  for (const document of collected.documents) {
    const add = (
      severity: Problem['severity'],
      rule: string,
      field: FieldPath,
      message: string,
    ) => {
      const ref = refOf(document.value);
      problems.push({
        file: document.file,
        ...document.locate(field),
        severity,
        rule,
        message,
        ...(field.length > 0 ? { field: field.join('.') } : {}),
        ...(ref ? { entityRef: ref } : {}),
      });
    };
    let value: unknown;
    try {
      value = inline(document.value, path.dirname(document.path), options.root);
    } catch (error) {
      if (!(error instanceof PlaceholderError)) throw error;
      add('error', 'placeholder', error.field, error.message);
      continue;
    }
    const checked = checkEntity(value, (rule, field, message) =>
      add('error', rule, field, message),
    );
    entities.push(value as Entity);
    documents.push(document);
    const ref = refOf(value);
    for (const relation of checked.relations)
      relations.push({ document, from: ref, ...relation });
    if (!ref) continue;
    const earlier = places.get(ref);
    if (earlier) {
      const { line } = earlier.locate([]);
      add(
        'error',
        'duplicate',
        ['metadata', 'name'],
        `${ref} is also in ${earlier.file}:${line}; an entity is described once`,
      );
    } else {
      places.set(ref, document);
    }
    if (ref.startsWith('criticalpath:')) steps.set(ref, stepNames(value));
    requireAnnotations(value as Entity, options, add);
  }

  const stepsServed = new Set(
    relations
      .filter(({ field }) => field[1] === 'steps')
      .map(relation => relation.ref),
  );
  for (const [index, entity] of entities.entries())
    requireMembership(entity, stepsServed, options, (field, message) => {
      const document = documents[index];
      const ref = refOf(entity);
      problems.push({
        file: document.file,
        ...document.locate(field),
        severity: options.membership as Problem['severity'],
        rule: 'critical-path',
        message,
        field: field.join('.'),
        ...(ref ? { entityRef: ref } : {}),
      });
    });

  const unchecked = new Set<string>();
  for (const { document, field, ref, from, step } of relations) {
    const place = {
      file: document.file,
      ...document.locate(field),
      severity: 'error' as const,
      field: field.join('.'),
      ...(from ? { entityRef: from } : {}),
    };
    if (!places.has(ref) && !options.known?.has(ref)) {
      if (options.known)
        problems.push({
          ...place,
          rule: field[field.length - 1] === 'owner' ? 'owner' : 'relation',
          message: `${field.join('.')} names ${ref}, which does not exist`,
        });
      else unchecked.add(ref);
    }
    const names = step === undefined ? undefined : steps.get(ref);
    if (names && !names.includes(step!))
      problems.push({
        ...place,
        rule: 'critical-path',
        message: `${ref} has no step "${step}"; its steps are ${names.join(
          ', ',
        )}`,
      });
  }
  const order = new Map(collected.files.map((file, index) => [file, index]));
  problems.sort(
    (a, b) =>
      (order.get(a.file) ?? 0) - (order.get(b.file) ?? 0) ||
      a.line - b.line ||
      a.column - b.column,
  );
  return { entities, documents, problems, unchecked: [...unchecked].sort() };
}

/** Annotations that the company wants. */
function requireAnnotations(
  entity: Entity,
  options: CheckOptions,
  add: (
    severity: Problem['severity'],
    rule: string,
    field: FieldPath,
    message: string,
  ) => void,
): void {
  const kind = entity.kind.toLowerCase();
  const annotations: Record<string, unknown> =
    entity.metadata.annotations &&
    typeof entity.metadata.annotations === 'object'
      ? entity.metadata.annotations
      : {};
  for (const { kind: wanted, annotation } of options.required) {
    const value = annotations[annotation];
    if (wanted === kind && (typeof value !== 'string' || value.trim() === ''))
      add(
        'error',
        'annotation',
        ['metadata', 'annotations', annotation],
        `the annotation ${annotation} is missing; every ${entity.kind} must have it`,
      );
  }
}

/** A service is on a path by its own annotation, or because a path of the repository names it. */
function requireMembership(
  entity: Entity,
  stepsServed: Set<string>,
  options: CheckOptions,
  complain: (field: FieldPath, message: string) => void,
): void {
  if (
    options.membership === 'off' ||
    entity?.kind !== 'Component' ||
    entity.spec?.type !== 'service' ||
    entity.metadata?.annotations?.[PATH_ANNOTATION] !== undefined ||
    stepsServed.has(refOf(entity) ?? '')
  )
    return;
  complain(
    ['metadata', 'annotations', PATH_ANNOTATION],
    `the service is on no critical path; say which one with the annotations ${PATH_ANNOTATION} and ${PATH_ANNOTATION}-step`,
  );
}
