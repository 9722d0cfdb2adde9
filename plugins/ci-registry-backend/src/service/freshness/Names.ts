import type { Entity } from '@backstage/catalog-model';
import type { Observation } from '../../database/freshness/FreshnessStore';

/** Which entities an observation is about. */
export class Names {
  readonly #refs = new Set<string>();
  readonly #byName = new Map<string, string[]>();
  readonly #byAnnotation = new Map<string, string[]>();

  constructor(readonly annotations: ReadonlyMap<string, string | undefined>) {}

  add(entityRef: string, entity: Entity): void {
    if (entity.kind.toLocaleLowerCase('en-US') !== 'component') {
      return;
    }
    this.#refs.add(entityRef);
    put(this.#byName, entity.metadata.name, entityRef);
    for (const annotation of new Set(this.annotations.values())) {
      const name = annotation && entity.metadata.annotations?.[annotation];
      if (name) put(this.#byAnnotation, `${annotation} ${name}`, entityRef);
    }
  }

  of({ provider, name, entityRef }: Observation): string[] {
    if (entityRef) {
      return this.#refs.has(entityRef) ? [entityRef] : [];
    }
    const annotation = this.annotations.get(provider);
    const lower = (text: string) => text.toLocaleLowerCase('en-US');
    return (
      (annotation && this.#byAnnotation.get(lower(`${annotation} ${name}`))) ||
      this.#byName.get(lower(name)) ||
      []
    );
  }
}

function put(map: Map<string, string[]>, key: string, value: string): void {
  const lower = key.toLocaleLowerCase('en-US');
  map.set(lower, [...(map.get(lower) ?? []), value]);
}
