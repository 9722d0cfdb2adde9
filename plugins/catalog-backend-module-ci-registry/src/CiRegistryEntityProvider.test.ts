import { mockServices } from '@backstage/backend-test-utils';
import { catalogServiceMock } from '@backstage/plugin-catalog-node/testUtils';
import type {
  EntityProviderConnection,
  EntityProviderMutation,
} from '@backstage/plugin-catalog-node';
import type { PendingChange } from '@rocket/plugin-ci-registry-common';
import type { CiRegistryService } from '@rocket/plugin-ci-registry-node';
import { CiRegistryEntityProvider } from './CiRegistryEntityProvider';

function change(name: string, pushedAt = 'T1'): PendingChange {
  return {
    entityRef: `component:default/${name}`,
    version: 1,
    repeated: false,
    entity: {
      apiVersion: 'backstage.io/v1alpha1',
      kind: 'Component',
      metadata: {
        name,
        namespace: 'default',
        annotations: { 'rocket.internal/pushed-at': pushedAt },
      },
    },
  };
}

/** When the provider started, ms since 1970. */
const START = Date.UTC(2026, 10, 20, 8);

/** A registry with a queue, as strict about claims as the real one. */
class FakeRegistry {
  waiting: PendingChange[] = [];
  claimed: PendingChange[] = [];
  calls: string[] = [];
  failNext?: string;

  #call(name: string) {
    this.calls.push(name);
    if (this.failNext === name) {
      this.failNext = undefined;
      throw new Error(`${name} failed`);
    }
  }
  async claimChanges() {
    this.#call('claim');
    this.claimed = this.waiting.splice(0, 2);
    return { claimId: 'c', changes: this.claimed };
  }
  flush() {
    this.#call('flush');
  }
  async acknowledgeChanges() {
    this.#call('acknowledge');
    this.claimed = [];
  }
  async repeatChanges() {
    this.#call('repeat');
    return { queued: 0 };
  }
  /** What the end of the claim does. */
  expire() {
    this.waiting.unshift(...this.claimed);
    this.claimed = [];
  }
}

function setup() {
  const registry = new FakeRegistry();
  const mutations: EntityProviderMutation[] = [];
  const connection: EntityProviderConnection = {
    applyMutation: jest.fn(async mutation => {
      mutations.push(mutation);
    }),
    refresh: jest.fn(),
  };
  const catalog = catalogServiceMock.mock();
  const provider = new CiRegistryEntityProvider({
    now: () => START,
    registry: registry as unknown as CiRegistryService,
    catalog,
    auth: mockServices.auth(),
    logger: mockServices.logger.mock(),
    flush: async () => registry.flush(),
  });
  const added = () =>
    mutations.flatMap(m =>
      m.type === 'delta' ? m.added.map(a => a.entity.metadata.name) : ['FULL'],
    );
  return { registry, mutations, connection, catalog, provider, added };
}

describe('CiRegistryEntityProvider', () => {
  it('applies what waits, in batches, and acknowledges after the catalog stored it', async () => {
    const { registry, connection, provider, mutations, added } = setup();
    await provider.connect(connection);
    registry.waiting = [change('a'), change('b'), change('c')];
    await provider.synchronize();
    expect(added()).toEqual(['a', 'b', 'c']);
    expect(registry.calls).toEqual([
      'repeat',
      'claim',
      'flush',
      'acknowledge',
      'claim',
      'flush',
      'acknowledge',
      'claim',
    ]);
    expect(
      mutations.every(
        m =>
          m.type === 'delta' &&
          m.removed.length === 0 &&
          m.added.every(a => a.locationKey === 'rocket-ci-registry'),
      ),
    ).toBe(true);

    registry.calls = [];
    await provider.synchronize();
    expect(registry.calls).toEqual(['claim']);
    expect(mutations).toHaveLength(2);
  });

  it('removes what the registry says is removed, and nothing else', async () => {
    const { registry, connection, provider, mutations, catalog } = setup();
    await provider.connect(connection);
    registry.waiting = [
      { ...change('kept'), repeated: true },
      { ...change('dropped'), removed: true, repeated: true },
    ];
    catalog.getEntitiesByRefs.mockResolvedValue({ items: [undefined] });
    await provider.synchronize();
    expect(mutations).toEqual([
      {
        type: 'delta',
        added: [
          { entity: change('kept').entity, locationKey: 'rocket-ci-registry' },
        ],
        removed: [
          {
            entityRef: 'component:default/dropped',
            locationKey: 'rocket-ci-registry',
          },
        ],
      },
    ]);
    expect(catalog.refreshEntity.mock.calls.map(c => c[0])).toEqual([
      'component:default/kept',
    ]);
    expect(registry.claimed).toEqual([]);
  });

  it('changes nothing in the catalog when the registry fails or has nothing', async () => {
    const { registry, connection, provider, mutations } = setup();
    await expect(provider.synchronize()).rejects.toThrow('not connected');
    await provider.connect(connection);
    for (const failing of ['repeat', 'claim']) {
      registry.failNext = failing;
      await expect(provider.synchronize()).rejects.toThrow(`${failing} failed`);
    }
    await provider.synchronize();
    expect(mutations).toEqual([]);
    // Repeated until it worked once, then never again.
    expect(registry.calls.filter(c => c === 'repeat')).toHaveLength(2);
  });

  it('does not acknowledge what the catalog did not store, and applies it again', async () => {
    const { registry, connection, provider, added } = setup();
    await provider.connect(connection);
    registry.waiting = [change('a')];
    (connection.applyMutation as jest.Mock).mockRejectedValueOnce(
      new Error('database away'),
    );
    await expect(provider.synchronize()).rejects.toThrow('database away');
    expect(registry.calls).not.toContain('acknowledge');
    registry.expire();

    registry.failNext = 'acknowledge';
    await expect(provider.synchronize()).rejects.toThrow('acknowledge failed');
    registry.expire();
    await provider.synchronize();
    expect(added()).toEqual(['a', 'a']);
    expect(registry.waiting).toEqual([]);
  });

  it('folds calls during a run into one more run', async () => {
    const { registry, connection, provider, added } = setup();
    await provider.connect(connection);
    registry.waiting = [change('a')];
    let release = () => {};
    (connection.applyMutation as jest.Mock).mockImplementationOnce(
      () => new Promise<void>(resolve => (release = resolve)),
    );
    const first = provider.synchronize();
    while (!(connection.applyMutation as jest.Mock).mock.calls.length) {
      await new Promise(resolve => setImmediate(resolve));
    }
    registry.waiting.push(change('late'));
    const others = [provider.synchronize(), provider.synchronize()];
    release();
    await Promise.all([first, ...others]);
    expect(added()).toEqual(['late']);
    expect(registry.calls.filter(c => c === 'acknowledge')).toHaveLength(2);
  });

  it('hurries along what a killed catalog left half-processed', async () => {
    const { registry, connection, catalog, provider } = setup();
    await provider.connect(connection);
    registry.waiting = [
      { ...change('fine'), repeated: true },
      { ...change('stale', 'T2'), repeated: true },
    ];
    catalog.getEntitiesByRefs.mockResolvedValue({
      items: [change('fine').entity, change('stale').entity],
    });
    await provider.synchronize();
    expect(catalog.refreshEntity.mock.calls.map(c => c[0])).toEqual([
      'component:default/stale',
    ]);

    // Stored by a catalog that was killed before it could say so: not repeated, and yet stuck.
    catalog.refreshEntity.mockClear();
    registry.waiting = [
      change('unsaid', new Date(START - 1_000).toISOString()),
    ];
    catalog.getEntitiesByRefs.mockResolvedValue({ items: [undefined] });
    await provider.synchronize();
    expect(catalog.refreshEntity.mock.calls.map(c => c[0])).toEqual([
      'component:default/unsaid',
    ]);
    // What was pushed since the start cannot be stuck so.
    registry.waiting = [change('new', new Date(START + 60_000).toISOString())];
    catalog.getEntitiesByRefs.mockClear();
    await provider.synchronize();
    expect(catalog.getEntitiesByRefs).not.toHaveBeenCalled();

    registry.waiting = [{ ...change('gone'), repeated: true }];
    catalog.getEntitiesByRefs.mockRejectedValue(new Error('catalog away'));
    await provider.synchronize();
    expect(registry.waiting).toEqual([]);
  });
});
