import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { compareDocuments } from './compare';

jest.setTimeout(60_000);

const timeoutMs = 30_000;

/** A small API with a request body, an answer, parameters and an enum each way. */
function api(openapi: string): any {
  return {
    openapi,
    info: { title: 'Things', version: '1' },
    paths: {
      '/things/{id}': {
        get: {
          parameters: [
            {
              name: 'id',
              in: 'path',
              required: true,
              schema: { type: 'string' },
            },
            {
              name: 'view',
              in: 'query',
              schema: { type: 'string', enum: ['full', 'short'] },
            },
          ],
          responses: {
            200: {
              description: 'ok',
              content: {
                'application/json': {
                  schema: { $ref: '#/components/schemas/Thing' },
                },
              },
            },
          },
        },
        post: {
          requestBody: {
            content: {
              'application/json': {
                schema: { $ref: '#/components/schemas/NewThing' },
              },
            },
          },
          responses: { 201: { description: 'created' } },
        },
      },
      '/other': { get: { responses: { 200: { description: 'ok' } } } },
    },
    components: {
      schemas: {
        Thing: {
          type: 'object',
          required: ['name'],
          properties: {
            name: { type: 'string' },
            size: { type: 'integer' },
            state: { type: 'string', enum: ['on', 'off'] },
          },
        },
        NewThing: {
          type: 'object',
          required: ['name'],
          properties: {
            name: { type: 'string', maxLength: 10 },
            color: { type: 'string', enum: ['red', 'blue'] },
            size: { type: 'integer' },
          },
        },
      },
    },
  };
}

const get = (doc: any) => doc.paths['/things/{id}'].get;
const thing = (doc: any) => doc.components.schemas.Thing;
const newThing = (doc: any) => doc.components.schemas.NewThing;

async function changed(version: string, change: (doc: any) => void) {
  const [before, after] = [api(version), api(version)];
  change(after);
  const { changes } = await compareDocuments(
    { format: 'openapi', definition: stringify(before) },
    { format: 'openapi', definition: JSON.stringify(after) },
    { timeoutMs },
  );
  return changes!;
}

const worst = (changes: { severity: string }[]) => changes[0]?.severity;

describe.each(['3.0.3', '3.1.0'])('OpenAPI %s', version => {
  it.each<[string, (doc: any) => void, string]>([
    ['a path that is gone', d => delete d.paths['/other'], 'GET /other'],
    [
      'an operation that is gone',
      d => delete d.paths['/things/{id}'].post,
      'POST /things/{id}',
    ],
    [
      'a new required parameter',
      d =>
        get(d).parameters.push({
          name: 'tenant',
          in: 'query',
          required: true,
          schema: { type: 'string' },
        }),
      'GET /things/{id} › query parameter tenant',
    ],
    [
      'a parameter that is gone',
      d => get(d).parameters.pop(),
      'GET /things/{id} › query parameter view',
    ],
    [
      'a value that a parameter no longer takes',
      d => get(d).parameters[1].schema.enum.pop(),
      'GET /things/{id} › query parameter view › enum',
    ],
    [
      'an answer that is gone',
      d => {
        get(d).responses = { 204: { description: 'nothing' } };
      },
      'GET /things/{id} › 200',
    ],
    [
      'a property of the answer that may be missing now',
      d => {
        thing(d).required = [];
      },
      'GET /things/{id} › 200 › required',
    ],
    [
      'a promised property of the answer that is gone',
      d => {
        delete thing(d).properties.name;
        thing(d).required = [];
      },
      'GET /things/{id} › 200 › name',
    ],
    [
      'another type in the answer',
      d => {
        thing(d).properties.size.type = 'string';
      },
      'GET /things/{id} › 200 › size › type',
    ],
    [
      'a wider type in the answer',
      d => {
        thing(d).properties.size.type = 'number';
      },
      'GET /things/{id} › 200 › size › type',
    ],
    [
      'a value in the answer that no client knows',
      d => thing(d).properties.state.enum.push('broken'),
      'GET /things/{id} › 200 › state › enum',
    ],
    [
      'a new required property of the request',
      d => {
        newThing(d).properties.owner = { type: 'string' };
        newThing(d).required.push('owner');
      },
      'POST /things/{id} › request body › owner',
    ],
    [
      'a property of the request that became required',
      d => newThing(d).required.push('size'),
      'POST /things/{id} › request body › required',
    ],
    [
      'less room in the request',
      d => {
        newThing(d).properties.name.maxLength = 5;
      },
      'POST /things/{id} › request body › name › maxLength',
    ],
    [
      'a value that the request may no longer have',
      d => newThing(d).properties.color.enum.pop(),
      'POST /things/{id} › request body › color › enum',
    ],
    [
      'a narrower type in the request',
      d => {
        newThing(d).properties.name.type = 'integer';
      },
      'POST /things/{id} › request body › name › type',
    ],
    [
      'a body that has to be sent now',
      d => {
        d.paths['/things/{id}'].post.requestBody.required = true;
      },
      'POST /things/{id} › request body › required',
    ],
  ])('breaks by %s', async (_what, change, location) => {
    const changes = await changed(version, change);
    expect(changes).toContainEqual(
      expect.objectContaining({ severity: 'breaking', location }),
    );
  });

  it.each<[string, (doc: any) => void]>([
    ['a new path', d => (d.paths['/new'] = d.paths['/other'])],
    [
      'a new optional parameter, wherever it stands',
      d =>
        get(d).parameters.unshift({
          name: 'page',
          in: 'query',
          schema: { type: 'string' },
        }),
    ],
    [
      'a new property of the answer',
      d => (thing(d).properties.more = { type: 'string' }),
    ],
    ['fewer values in the answer', d => thing(d).properties.state.enum.pop()],
    [
      'a new optional property of the request',
      d => (newThing(d).properties.more = { type: 'string' }),
    ],
    [
      'a property of the request that is no longer required',
      d => (newThing(d).required = []),
    ],
    [
      'more room in the request',
      d => (newThing(d).properties.name.maxLength = 50),
    ],
    [
      'a wider type in the request',
      d => (newThing(d).properties.size.type = 'number'),
    ],
    [
      'more values in the request',
      d => newThing(d).properties.color.enum.push('green'),
    ],
    ['other words', d => (d.info.description = 'x')],
  ])('stays compatible with %s', async (_what, change) => {
    const changes = await changed(version, change);
    expect(changes.length).toBeGreaterThan(0);
    expect(changes.filter(c => c.severity !== 'compatible')).toEqual([]);
  });

  it('warns of what a client may have used', async () => {
    const optional = await changed(version, d => {
      delete thing(d).properties.size;
    });
    expect(optional).toEqual([
      {
        severity: 'warning',
        location: 'GET /things/{id} › 200 › size',
        message: expect.stringContaining('Removed property'),
      },
    ]);
    const old = await changed(version, d => {
      get(d).deprecated = true;
    });
    expect(worst(old)).toBe('warning');
  });

  it('sees nothing in a schema of another name, or in the same text', async () => {
    const renamed = await changed(version, d => {
      d.components.schemas.Renamed = d.components.schemas.Thing;
      delete d.components.schemas.Thing;
      get(d).responses[200].content['application/json'].schema.$ref =
        '#/components/schemas/Renamed';
    });
    expect(renamed).toEqual([]);
    expect(await changed(version, () => {})).toEqual([]);
  });
});

it('names the old and the new value, the worst first', async () => {
  const changes = await changed('3.1.0', d => {
    d.paths['/new'] = { get: { responses: { 200: { description: 'x' } } } };
    newThing(d).properties.name.maxLength = 5;
  });
  expect(changes.map(({ severity }) => severity)).toEqual([
    'breaking',
    'compatible',
  ]);
  expect(changes[0].message).toMatch(/maxLength.*10 → 5/);
});

it('compares the golden contracts in time, circles included', async () => {
  const folder = join(__dirname, '../../../../../templates/contracts');
  const definition = readFileSync(
    join(folder, 'transaction-service/openapi.yaml'),
    'utf8',
  );
  const after = definition.replace(
    '/v1/reports/trial-balance',
    '/v1/reports/balance',
  );
  expect(after).not.toBe(definition);
  const { changes } = await compareDocuments(
    { format: 'openapi', definition },
    { format: 'openapi', definition: after },
    { timeoutMs },
  );
  expect(changes).not.toBeNull();
  const circular = api('3.1.0');
  circular.components.schemas.Thing.properties.parent = {
    $ref: '#/components/schemas/Thing',
  };
  const twin = structuredClone(circular);
  twin.components.schemas.Thing.properties.parent2 = {
    $ref: '#/components/schemas/Thing',
  };
  const result = await compareDocuments(
    { format: 'openapi', definition: stringify(circular) },
    { format: 'openapi', definition: stringify(twin) },
    { timeoutMs },
  );
  expect(result.changes).not.toBeNull();
});

it('gives up on a document that its references make huge, and lets the others go on', async () => {
  const bomb = (leaf: string) => {
    const doc = api('3.1.0');
    for (let level = 0; level < 40; level++) {
      const ref = { $ref: `#/components/schemas/L${level + 1}` };
      doc.components.schemas[`L${level}`] = {
        type: 'object',
        properties: { a: ref, b: ref },
      };
    }
    doc.components.schemas.L40 = { type: leaf };
    thing(doc).properties.bomb = { $ref: '#/components/schemas/L0' };
    return stringify(doc);
  };
  let ticks = 0;
  const timer = setInterval(() => (ticks += 1), 10);
  const result = await compareDocuments(
    { format: 'openapi', definition: bomb('string') },
    { format: 'openapi', definition: bomb('integer') },
    { timeoutMs: 2_000 },
  );
  clearInterval(timer);
  expect(result).toEqual({
    changes: null,
    notCompared: expect.stringMatching(/longer than 2 seconds|memory/),
  });
  expect(ticks).toBeGreaterThan(20);
});

describe('other formats', () => {
  const compare = (
    format: 'graphql' | 'asyncapi' | 'grpc',
    before: string,
    after: string,
  ) =>
    compareDocuments(
      { format, definition: before },
      { format, definition: after },
      { timeoutMs },
    );

  it('GraphQL: what is gone breaks, what is new does not, what is dangerous warns', async () => {
    const schema = (more: string, kind = 'A B') =>
      `enum Kind { ${kind} } type Query { account(id: ID!): String ${more} kind: Kind }`;
    expect(
      await compare('graphql', schema('name: String'), schema('')),
    ).toEqual({
      changes: [
        {
          severity: 'breaking',
          location: 'Query.name',
          message: 'Query.name was removed.',
        },
      ],
    });
    expect(await compare('graphql', schema(''), schema('more: Int'))).toEqual({
      changes: [],
    });
    expect(
      await compare('graphql', schema(''), schema('', 'A B C')),
    ).toMatchObject({ changes: [{ severity: 'warning' }] });
  });

  it('AsyncAPI 2 and 3', async () => {
    const two = (names: string[]) =>
      stringify({
        asyncapi: '2.6.0',
        info: { title: 'Events', version: '1' },
        channels: Object.fromEntries(
          names.map(name => [
            name,
            { subscribe: { message: { payload: { type: 'string' } } } },
          ]),
        ),
      });
    const three = (names: string[]) =>
      stringify({
        asyncapi: '3.0.0',
        info: { title: 'Events', version: '1' },
        channels: Object.fromEntries(
          names.map(name => [name, { address: name }]),
        ),
      });
    for (const make of [two, three]) {
      const gone = await compare('asyncapi', make(['a', 'b']), make(['a']));
      expect(gone.changes).toContainEqual(
        expect.objectContaining({ severity: 'breaking' }),
      );
      expect(gone.changes![0].location).toContain('b');
      const added = await compare('asyncapi', make(['a']), make(['a', 'b']));
      expect(added.changes!.map(({ severity }) => severity)).toEqual([
        'compatible',
      ]);
    }
    expect(await compare('asyncapi', two(['a']), three(['a']))).toEqual({
      changes: null,
      notCompared: expect.stringContaining('2.6.0'),
    });
  });

  it('says why Protocol Buffers and changes of format are not compared', async () => {
    expect(await compare('grpc', 'a', 'b')).toEqual({
      changes: null,
      notCompared: expect.stringContaining('Protocol Buffers'),
    });
    expect(
      await compareDocuments(
        { format: 'grpc', definition: 'a' },
        { format: 'graphql', definition: 'type Query { a: Int }' },
        { timeoutMs },
      ),
    ).toEqual({ changes: null, notCompared: 'the version before was grpc' });
  });
});
