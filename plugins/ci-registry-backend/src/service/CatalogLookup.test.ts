import { mockServices } from '@backstage/backend-test-utils';
import type { Entity } from '@backstage/catalog-model';
import { catalogServiceMock } from '@backstage/plugin-catalog-node/testUtils';
import { CatalogChecks } from './CatalogChecks';
import { CatalogLookup } from './CatalogLookup';
import { EntityValidator } from './EntityValidator';
import { RateLimiter, TooManyRequests } from './RateLimiter';

const group: Entity = {
  apiVersion: 'backstage.io/v1alpha1',
  kind: 'Group',
  metadata: { name: 'ledger' },
};

function setup() {
  const catalog = catalogServiceMock.mock();
  const asked: string[][] = [];
  let release = () => {};
  let gate: Promise<void> | undefined;
  catalog.getEntitiesByRefs.mockImplementation(async ({ entityRefs }) => {
    asked.push(entityRefs);
    await gate;
    return {
      items: entityRefs.map(ref =>
        ref === 'group:default/ledger' ? group : undefined,
      ),
    };
  });
  const clock = { now: 0 };
  const lookup = new CatalogLookup({
    catalog,
    auth: mockServices.auth(),
    now: () => clock.now,
  });
  return {
    asked,
    catalog,
    clock,
    lookup,
    hold: () => {
      gate = new Promise(resolve => {
        release = resolve;
      });
    },
    release: () => release(),
  };
}

const none = new Set<string>();

describe('CatalogLookup', () => {
  it('puts the questions of many into one, while another one is under way', async () => {
    const { asked, hold, lookup, release } = setup();
    hold();
    const first = lookup.find(['component:default/a'], none);
    while (!asked.length) await new Promise(resolve => setImmediate(resolve));
    const others = [1, 2, 3].map(n =>
      lookup.find([`component:default/b${n}`, 'group:default/ledger'], none),
    );
    release();
    expect((await first).size).toBe(0);
    for (const found of await Promise.all(others)) {
      expect([...found]).toEqual([['group:default/ledger', group]]);
    }
    expect(asked).toEqual([
      ['component:default/a'],
      [
        'component:default/b1',
        'group:default/ledger',
        'component:default/b2',
        'component:default/b3',
      ],
    ]);
  });

  it('remembers what there was for half a minute, and asks anew when it must be sure', async () => {
    const { asked, clock, lookup } = setup();
    const find = (fresh = none) =>
      lookup.find(['group:default/ledger', 'group:default/none'], fresh);
    await find();
    expect((await find()).size).toBe(1);
    await find(new Set(['group:default/ledger']));
    clock.now = 60_000;
    await find();
    expect(asked.map(refs => refs.length)).toEqual([2, 1, 2, 2]);
  });

  it('fails for those who asked, and works again afterwards', async () => {
    const { catalog, lookup } = setup();
    catalog.getEntitiesByRefs.mockRejectedValueOnce(new Error('away'));
    await expect(lookup.find(['group:default/x'], none)).rejects.toMatchObject({
      name: 'ServiceUnavailableError',
    });
    expect((await lookup.find(['group:default/ledger'], none)).size).toBe(1);
  });
});

describe('CatalogChecks', () => {
  it('only warns that it could not look, when nothing depends on it', async () => {
    const { catalog, lookup } = setup();
    catalog.getEntitiesByRefs.mockRejectedValue(new Error('away'));
    const { items } = await new EntityValidator({
      allowedKinds: ['Component'],
      maxEntities: 5,
      reservedNamespaces: [],
      requiredAnnotations: [],
    }).check([
      {
        apiVersion: 'backstage.io/v1alpha1',
        kind: 'Component',
        metadata: { name: 'a' },
        spec: { type: 'service', lifecycle: 'x', owner: 'ledger' },
      },
    ]);
    const check = (owner: 'warning' | 'error' | 'off', unknown = none) =>
      new CatalogChecks({
        lookup,
        levels: { owner, relations: 'warning', criticalPath: 'error' },
      }).check({
        repository: 'acme/ledger',
        changed: items,
        unknown,
        present: new Set(['component:default/a']),
        isRegistered: async () => none,
      });
    expect(await check('warning')).toEqual([
      {
        field: 'entities',
        message: expect.stringContaining('does not answer'),
        severity: 'warning',
      },
    ]);
    expect(await check('off')).toEqual([]);
    await expect(check('error')).rejects.toThrow('does not answer');
    await expect(
      check('warning', new Set(['component:default/a'])),
    ).rejects.toThrow('does not answer');
  });
});

describe('RateLimiter', () => {
  it('lets in a minute’s worth at once, then evenly, each caller by itself', () => {
    let now = 0;
    const limiter = new RateLimiter({ perMinute: 4, now: () => now });
    const taken = (key: string) => {
      try {
        limiter.take(key, key);
        return 'in';
      } catch (error) {
        return (error as TooManyRequests).retryAfter;
      }
    };
    expect([1, 2, 3, 4, 5, 6].map(() => taken('a'))).toEqual([
      'in',
      'in',
      'in',
      'in',
      15,
      15,
    ]);
    expect(taken('b')).toBe('in');
    now = 10_000;
    expect(taken('a')).toBe(5);
    now = 15_000;
    expect([taken('a'), taken('a')]).toEqual(['in', 15]);
    now = 10 * 60_000;
    expect([1, 2, 3, 4, 5].map(() => taken('a'))).toEqual([
      'in',
      'in',
      'in',
      'in',
      15,
    ]);
  });
});
