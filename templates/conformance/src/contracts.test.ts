import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Parser, fromFile } from '@asyncapi/parser';
import Ajv from 'ajv';
import addFormats from 'ajv-formats';
import { contradictions, drift } from '../../contracts/generate';
import { differences } from './compare';
import { CONTRACTS, loadContract } from './contract';
import {
  blockHash,
  canonicalJson,
  inclusionPath,
  leafHash,
  rootOfPath,
  treeRoot,
} from './merkle';

const read = (file: string) =>
  JSON.parse(readFileSync(path.join(CONTRACTS, file), 'utf8'));

describe('the contracts', () => {
  it('do not contradict each other, and what is generated from them is up to date', () => {
    expect(contradictions()).toEqual([]);
    expect(drift()).toEqual([]);
  });

  it.each(['transaction', 'authorization'] as const)(
    'name the errors of every refusal of the %s service, and every path leads to its operation',
    service => {
      const contract = loadContract(service);
      for (const operation of contract.operations) {
        for (const [status, response] of operation.responses) {
          if (status >= 400 && operation.id !== 'isReady')
            expect([operation.id, status, response.problemCodes]).not.toEqual([
              operation.id,
              status,
              [],
            ]);
        }
        const url = operation.path.replaceAll(/\{[^}]+\}/g, 'x');
        expect(contract.find(operation.method, url)?.id).toBe(operation.id);
      }
      expect(contract.find('GET', '/v1/nowhere')).toBeUndefined();
    },
  );

  it('are compared by what they promise, not by how it is written', () => {
    const { document } = loadContract('transaction');
    expect(differences(document, document)).toEqual([]);
    const served = JSON.parse(
      JSON.stringify(document, (name, value) =>
        name === 'description' ? 'other words' : value,
      ),
    );
    expect(differences(document, served)).toEqual([]);
    delete served.paths['/v1/audit/head'];
    served.components.schemas.Amount.properties.value = { type: 'number' };
    const found = differences(document, served).join('\n');
    expect(found).toContain('GET /v1/audit/head: missing');
    expect(found).toContain('POST /v1/transactions body');
  });
});

describe('events', () => {
  const schemas = readdirSync(path.join(CONTRACTS, 'events/schemas'));
  const types = schemas
    .map(file => file.replace('.schema.json', ''))
    .filter(type => type !== 'common');

  /** Validators of all types; `change` gets a chance to alter each schema first. */
  function validators(change: (file: string, schema: any) => void = () => {}) {
    const ajv = new Ajv({ strict: false, allErrors: true });
    addFormats(ajv);
    for (const file of schemas) {
      const schema = read(`events/schemas/${file}`);
      change(file, schema);
      ajv.addSchema(schema, file);
    }
    return (type: string) => ajv.getSchema(`${type}.schema.json`)!;
  }

  /** Recorded events that the schema of their type refuses: what an incompatible change does. */
  function refused(change?: (file: string, schema: any) => void): string[] {
    const validatorOf = validators(change);
    return types.flatMap(type =>
      readdirSync(path.join(CONTRACTS, 'events/examples', type))
        .filter(
          file => !validatorOf(type)(read(`events/examples/${type}/${file}`)),
        )
        .map(file => `${type}/${file}`),
    );
  }

  it('have a version, a schema and recorded examples that it accepts', () => {
    expect(types).toEqual(
      expect.arrayContaining([
        'transaction.posted.v1',
        'transaction.reversed.v1',
        'balance.changed.v1',
        'authorization.approved.v1',
        'authorization.declined.v1',
        'authorization.captured.v1',
        'authorization.reversed.v1',
        'authorization.expired.v1',
      ]),
    );
    for (const type of types)
      expect(type).toMatch(/^[a-z]+\.[a-z]+\.v[1-9]\d*$/);
    expect(readdirSync(path.join(CONTRACTS, 'events/examples')).sort()).toEqual(
      [...types].sort(),
    );
    expect(refused()).toEqual([]);
  });

  it('that are not so are refused', () => {
    const validatorOf = validators();
    for (const type of types) {
      const folder = `events/examples/${type}`;
      const [first] = readdirSync(path.join(CONTRACTS, folder));
      const good = read(`${folder}/${first}`);
      const bad = [
        { ...good, type: 'transaction.other.v1' },
        { ...good, id: undefined },
        { ...good, specversion: '0.3' },
        { ...good, time: 'now' },
        { ...good, data: {} },
        {
          ...good,
          data: { ...good.data, createdAt: undefined, posted: undefined },
        },
        {
          ...good,
          data: JSON.parse(
            JSON.stringify(good.data).replace(
              /"(value|posted)":"-?\d+"/,
              '"$1":5',
            ),
          ),
        },
      ];
      for (const event of bad)
        expect([
          type,
          validatorOf(type)(JSON.parse(JSON.stringify(event))),
        ]).toEqual([type, false]);
    }
  });

  it('stay readable: a schema that became narrower is found by the recorded examples', () => {
    // A member that was optional is demanded.
    expect(
      refused((file, schema) => {
        if (file === 'common.schema.json')
          schema.definitions.envelope.required.push('traceparent');
      }),
    ).toContain('transaction.posted.v1/fx.json');
    // A value that was allowed is not any more.
    expect(
      refused((file, schema) => {
        if (file === 'authorization.captured.v1.schema.json')
          schema.allOf[1].properties.data.allOf[1].properties.kind.enum = [
            'CAPTURED',
          ];
      }),
    ).toEqual(['authorization.captured.v1/force-posted.json']);
    // A member has another type.
    expect(
      refused((file, schema) => {
        if (file === 'common.schema.json')
          schema.definitions.amount.properties.value = { type: 'integer' };
      }).length,
    ).toBeGreaterThan(5);
    // A wider one is fine.
    expect(
      refused((file, schema) => {
        if (file === 'common.schema.json')
          schema.definitions.transaction.properties.channel = {
            type: 'string',
          };
      }),
    ).toEqual([]);
  });

  it('are described by a valid AsyncAPI document that names each of them', async () => {
    const parser = new Parser();
    const { document, diagnostics } = await fromFile(
      parser,
      path.join(CONTRACTS, 'events/asyncapi.yaml'),
    ).parse();
    expect(
      diagnostics.filter(({ severity }) => severity === 0).map(String),
    ).toEqual([]);
    expect(document?.version()).toBe('3.0.0');
    expect(
      document!
        .allMessages()
        .all()
        .map(message => message.name())
        .sort(),
    ).toEqual([...types].sort());
  }, 30_000);
});

describe('the audit chain', () => {
  const vectors = read('transaction-service/audit-vectors.json');

  it('is computed as the worked examples say, which another program made', () => {
    const leaves: Buffer[] = vectors.leaves.map(
      ({ document, canonical, hash }: any) => {
        expect(canonicalJson(document)).toBe(canonical);
        expect(leafHash(canonical).toString('hex')).toBe(hash);
        return leafHash(canonical);
      },
    );
    for (const { count, root, paths } of vectors.trees) {
      const some = leaves.slice(0, count);
      expect(treeRoot(some).toString('hex')).toBe(root);
      paths.forEach((hashes: string[], i: number) => {
        expect(
          inclusionPath(i, some).map(hash => hash.toString('hex')),
        ).toEqual(hashes);
        expect(
          rootOfPath(
            some[i],
            i,
            count,
            hashes.map(hash => Buffer.from(hash, 'hex')),
          )?.toString('hex'),
        ).toBe(root);
      });
    }
    const { count, root, paths } = vectors.largeTree;
    const large = Array.from({ length: count }, (_, i) => leafHash(String(i)));
    expect(treeRoot(large).toString('hex')).toBe(root);
    for (const [i, hashes] of Object.entries<string[]>(paths)) {
      const proof = hashes.map(hash => Buffer.from(hash, 'hex'));
      const index = Number(i);
      expect(
        rootOfPath(large[index], index, count, proof)?.toString('hex'),
      ).toBe(root);
      // Another place, another leaf, a longer or shorter path: no proof.
      const wrong = [
        rootOfPath(large[index], (index + 1) % count, count, proof),
        rootOfPath(large[(index + 1) % count], index, count, proof),
        rootOfPath(large[index], index, count, proof.slice(1)),
        rootOfPath(large[index], index, count, [...proof, proof[0]]),
      ];
      for (const found of wrong) expect(found?.toString('hex')).not.toBe(root);
    }
    for (const block of vectors.blocks)
      expect(blockHash(block)).toBe(block.hash);
  });

  it('changes with every byte', () => {
    const [{ document, hash }] = vectors.leaves;
    const changed = structuredClone(document);
    changed.legs[0].amount.value = '1002';
    expect(leafHash(canonicalJson(changed)).toString('hex')).not.toBe(hash);
    const block = {
      ...vectors.blocks[1],
      sealedAt: '2026-01-31T09:05:03.000000Z',
    };
    expect(blockHash(block)).not.toBe(block.hash);
  });

  it('seals nothing that could be written in two ways', () => {
    expect(() => canonicalJson({ a: 1.5 })).toThrow('only integers');
    expect(() => canonicalJson({ a: undefined })).toThrow('undefined');
    expect(canonicalJson({ b: [null, true], a: { d: 'ä', c: 2 } })).toBe(
      '{"a":{"c":2,"d":"ä"},"b":[null,true]}',
    );
  });
});

describe('the golden file of money', () => {
  const money = read('money.json');

  it('converts both ways by the exponent, for every exponent from 0 to 4', () => {
    const seen = new Set<number>();
    for (const { currency, exponent, minor, major } of money.conversions) {
      seen.add(exponent);
      if (currency !== null)
        expect(money.currencies[exponent]).toContain(currency);
      const fraction = major.split('.')[1] ?? '';
      expect([major, fraction.length]).toEqual([major, exponent]);
      // Taking the point out of the number for people leaves the minor units.
      expect(BigInt(major.replace('.', ''))).toBe(BigInt(minor));
      expect(BigInt(minor)).toBe(BigInt.asIntN(64, BigInt(minor)));
    }
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4]);
  });

  it('says of each wire amount what the contract says', () => {
    const { Amount } = loadContract('transaction').document.components.schemas;
    const taken = (value: unknown) =>
      typeof value === 'string' &&
      new RegExp(Amount.properties.value.pattern).test(value);
    for (const value of money.wire.accept)
      expect([value, taken(value)]).toEqual([value, true]);
    for (const { value } of money.wire.refuse)
      expect([value, taken(value)]).toEqual([value, false]);
    const { Minor } = loadContract('transaction').document.components.schemas;
    for (const value of money.totals.accept)
      expect(value).toMatch(new RegExp(Minor.pattern));
    for (const value of money.totals.refuse)
      expect(value).not.toMatch(new RegExp(Minor.pattern));
  });
});
