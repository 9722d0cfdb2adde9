import { readFileSync, readdirSync, existsSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import SwaggerParser from '@apidevtools/swagger-parser';
import Ajv2020 from 'ajv/dist/2020';
import addFormats from 'ajv-formats';
import { parse, parseAllDocuments } from 'yaml';
import { loadScenario } from './traffic';

const EXAMPLES = join(__dirname, '..', '..', '..', 'examples');
/** A component that is not there on purpose: the demo shows how Rocket says so. */
const MISSING_ON_PURPOSE = 'component:default/wallet-transactions';

type Entity = {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    annotations?: Record<string, string>;
    links?: { url: string }[];
    tags?: string[];
  };
  spec: Record<string, any>;
  file: string;
};

/** All entities that `all.yaml` leads to. */
function load(file: string): Entity[] {
  return parseAllDocuments(readFileSync(file, 'utf8')).flatMap(document => {
    expect(document.errors).toEqual([]);
    const entity = { ...document.toJS(), file } as Entity;
    return entity.kind === 'Location'
      ? [
          entity,
          ...entity.spec.targets.flatMap((target: string) =>
            load(join(dirname(file), target)),
          ),
        ]
      : [entity];
  });
}

function ref(text: string, defaultKind: string): string {
  const [, kind = defaultKind, namespace = 'default', name] =
    /^(?:([^:]+):)?(?:([^/]+)\/)?(.+)$/.exec(text)!;
  return `${kind}:${namespace}/${name}`.toLowerCase();
}

function list<T>(value: T[] | undefined): T[] {
  return value ?? [];
}

const entities = load(join(EXAMPLES, 'all.yaml'));
const byRef = new Map(
  entities.map(entity => [ref(entity.metadata.name, entity.kind), entity]),
);
const ofKind = (kind: string) => entities.filter(e => e.kind === kind);

describe('the demo organisation', () => {
  it('has each entity once, with valid names and tags', () => {
    expect(byRef.size).toBe(entities.length);
    for (const { metadata } of entities) {
      expect(metadata.name).toMatch(/^[a-z0-9]+([-_.][a-z0-9]+)*$/);
      expect(metadata.name.length).toBeLessThanOrEqual(63);
      for (const tag of list(metadata.tags)) {
        expect(tag).toMatch(/^[a-z0-9:+#]+(-[a-z0-9:+#]+)*$/);
      }
      for (const link of list(metadata.links)) {
        // Reserved names: the demo never leads to somebody's real site.
        expect(new URL(link.url).hostname).toMatch(/\.example$/);
      }
    }
  });

  it('leaves no file of the folder out', () => {
    const reached = new Set(entities.map(e => relative(EXAMPLES, e.file)));
    const all = (readdirSync(EXAMPLES, { recursive: true }) as string[]).filter(
      name =>
        name.endsWith('.yaml') &&
        // What the sandbox plays, and how its pipelines are let in.
        !['traffic.yaml', 'demo-pipelines.yaml'].includes(name),
    );
    expect([...reached].sort()).toEqual(all.sort());
  });

  it('resolves every reference', () => {
    const unresolved: string[] = [];
    const check = (
      entity: Entity,
      field: string,
      kind: string,
      to?: string,
    ) => {
      if (to !== undefined && !byRef.has(ref(to, kind))) {
        unresolved.push(`${entity.metadata.name} ${field}: ${ref(to, kind)}`);
      }
    };
    for (const entity of entities) {
      const { spec } = entity;
      check(entity, 'owner', 'group', spec.owner);
      check(entity, 'system', 'system', spec.system);
      check(entity, 'domain', 'domain', spec.domain);
      check(entity, 'parent', 'group', spec.parent);
      check(entity, 'businessModel', 'domain', spec.businessModel);
      list<string>(spec.memberOf).forEach(to =>
        check(entity, 'memberOf', 'group', to),
      );
      list<string>(spec.children).forEach(to =>
        check(entity, 'children', 'group', to),
      );
      list<string>(spec.dependsOn).forEach(to =>
        check(entity, 'dependsOn', 'component', to),
      );
      for (const field of ['providesApis', 'consumesApis']) {
        list<string>(spec[field]).forEach(to =>
          check(entity, field, 'api', to),
        );
      }
      list<{ component: string }>(spec.steps).forEach(step =>
        check(entity, 'steps', 'component', step.component),
      );
    }
    expect(unresolved).toEqual([`wallet-top-up steps: ${MISSING_ON_PURPOSE}`]);
  });

  it('has the people, teams and applications that the tour speaks of', () => {
    expect(byRef.get('user:default/guest')?.spec.memberOf).toEqual([
      'ledger',
      'platform',
    ]);
    expect(ofKind('User').length).toBeGreaterThanOrEqual(20);
    expect(
      ofKind('Domain')
        .map(d => d.metadata.name)
        .sort(),
    ).toEqual(['acquiring', 'issuing', 'payments']);
    expect(ofKind('Component')).toHaveLength(14);
    const languages = new Set(
      ofKind('Component').map(c =>
        list(c.metadata.tags).find(t =>
          ['java', 'go', 'nodejs', 'react'].includes(t),
        ),
      ),
    );
    expect([...languages].sort()).toEqual(['go', 'java', 'nodejs', 'react']);
    for (const group of ofKind('Group')) {
      const children = ofKind('Group')
        .filter(g => g.spec.parent === group.metadata.name)
        .map(g => g.metadata.name);
      expect([...group.spec.children].sort()).toEqual(children.sort());
    }
  });

  it('gives each API one provider', () => {
    const provided = ofKind('Component').flatMap(c =>
      list(c.spec.providesApis),
    );
    expect([...provided].sort()).toEqual(
      ofKind('API')
        .map(a => a.metadata.name)
        .sort(),
    );
  });

  it('has docs where it says so', () => {
    const documented = ofKind('Component').filter(
      c => c.metadata.annotations?.['backstage.io/techdocs-ref'],
    );
    expect(documented.map(c => c.metadata.name).sort()).toEqual([
      'authorization-service',
      'transaction-service',
    ]);
    for (const component of documented) {
      const folder = dirname(component.file);
      const { nav } = parse(readFileSync(join(folder, 'mkdocs.yml'), 'utf8'));
      for (const page of nav.flatMap((item: object) => Object.values(item))) {
        expect(existsSync(join(folder, 'docs', page))).toBe(true);
      }
    }
  });
});

describe('the critical paths', () => {
  const paths = ofKind('CriticalPath');

  it.each(paths.map(p => [p.metadata.name, p] as const))(
    '%s is well formed',
    (_, { apiVersion, spec }) => {
      expect(apiVersion).toBe('rocket.internal/v1alpha1');
      expect(
        Object.keys(spec)
          .filter(key => !['aggregation', 'workflows'].includes(key))
          .sort(),
      ).toEqual([
        'businessModel',
        'lifecycle',
        'objectives',
        'owner',
        'steps',
        'type',
      ]);
      expect(['experimental', 'production', 'deprecated']).toContain(
        spec.lifecycle,
      );
      const names = spec.steps.map((s: { name: string }) => s.name);
      expect(new Set(names).size).toBe(names.length);
      for (const step of spec.steps) {
        expect(step.name).toMatch(/^[a-z0-9-]{1,63}$/);
        expect(step.component).toMatch(/^component:default\/[a-z0-9-]+$/);
      }
      for (const objective of spec.objectives) {
        const { sli, target, windowDays, thresholdMs, percentile, ...rest } =
          objective;
        expect(rest).toEqual({});
        expect([1, 7, 28, 30]).toContain(windowDays);
        expect(['availability', 'latency', 'throughput']).toContain(sli);
        expect(target).toBeGreaterThan(0);
        expect(sli === 'throughput' || target <= 100).toBe(true);
        expect(thresholdMs > 0).toBe(sli === 'latency');
        expect([50, 90, 95, 99].includes(percentile)).toBe(sli === 'latency');
      }
    },
  );

  it('are the paths of the traffic scenario, step by step', async () => {
    const scenario = await loadScenario(join(EXAMPLES, 'traffic.yaml'));
    const withTraffic = paths
      .filter(p => p.metadata.name !== 'wallet-top-up')
      .map(p => [
        p.metadata.name,
        p.spec.steps.map((s: { name: string; component: string }) => [
          s.name,
          s.component.replace('component:default/', ''),
        ]),
      ]);
    expect(
      Object.entries(scenario.paths).map(([name, path]) => [
        name,
        path.steps.map(s => [s.step, s.application]),
      ]),
    ).toEqual(withTraffic);
    for (const [name, { team, language }] of Object.entries(
      scenario.applications,
    )) {
      const component = byRef.get(`component:default/${name}`);
      expect(component?.spec.owner).toBe(`group:default/${team}`);
      expect(component?.metadata.tags).toContain(language);
    }
  });
});

describe('the OpenAPI documents', () => {
  it('are enough for a look around', () => {
    expect(ofKind('API').length).toBeGreaterThanOrEqual(8);
  });

  describe.each(ofKind('API').map(api => [api.metadata.name, api] as const))(
    '%s',
    (_, api) => {
      // Inline: the catalog does not follow `$text` in files on disk.
      const text: string = api.spec.definition;

      it('is a valid OpenAPI 3.1 document', async () => {
        const document = (await SwaggerParser.validate(parse(text))) as any;
        expect(document.openapi).toMatch(/^3\.1\./);
        const operations = Object.values<any>(document.paths).flatMap(item =>
          Object.values<any>(item),
        );
        const ids = operations.map(o => o.operationId);
        expect(new Set(ids).size).toBe(ids.length);
        const failures = operations
          .flatMap(o => Object.entries<any>(o.responses))
          .filter(([status]) => Number(status) >= 400);
        expect(failures.length).toBeGreaterThan(operations.length);
        for (const [, response] of failures) {
          expect(Object.keys(response.content)).toEqual([
            'application/problem+json',
          ]);
        }
      });

      it('has examples that obey its schemas', async () => {
        const document = (await SwaggerParser.dereference(parse(text))) as any;
        const ajv = new Ajv2020({ strict: false, allErrors: true });
        addFormats(ajv);
        let checked = 0;
        const check = (at: string, schema: object, value: unknown) => {
          const valid = ajv.validate(schema, value);
          expect({ at, errors: valid ? [] : ajv.errors }).toEqual({
            at,
            errors: [],
          });
          checked += 1;
        };
        const walk = (node: any, at: string) => {
          if (typeof node !== 'object' || node === null) return;
          if (node.schema && node.example !== undefined) {
            check(at, node.schema, node.example);
          }
          if (node.type && Array.isArray(node.examples)) {
            node.examples.forEach((e: unknown) => check(at, node, e));
          }
          for (const [key, value] of Object.entries(node)) {
            if (key !== 'example' && key !== 'examples')
              walk(value, `${at}/${key}`);
          }
        };
        walk(document, '');
        expect(checked).toBeGreaterThan(10);
      });

      it('writes money as decimal strings', () => {
        const document = parse(text);
        // Unquoted times turn into dates in YAML 1.1, which the API pages read.
        expect(text).not.toMatch(/: \d{4}-\d{2}-\d{2}/);
        expect(document.components.schemas.Money.properties.amount.type).toBe(
          'string',
        );
        expect(text).not.toMatch(/type: number/);
      });
    },
  );
});
