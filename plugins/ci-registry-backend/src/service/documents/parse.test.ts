import { DocumentProblem, parseDocument } from './parse';

const openapi = (more: string) =>
  `openapi: 3.1.0\ninfo: { title: Things, version: '1' }\n${more}`;

it('reads title and version of YAML and JSON', () => {
  expect(parseDocument('openapi', openapi('paths: {}'))).toMatchObject({
    title: 'Things',
    formatVersion: '3.1.0',
  });
  expect(
    parseDocument(
      'asyncapi',
      '{"asyncapi":"3.0.0","info":{"title":"E","version":"1"}}',
    ),
  ).toMatchObject({ title: 'E' });
  expect(parseDocument('grpc', 'syntax = "proto3";')).toEqual({});
  expect(parseDocument('graphql', 'type Query { a: Int }')).toEqual({});
});

it.each<[string, 'openapi' | 'asyncapi' | 'graphql' | 'grpc', string, RegExp]>([
  ['no YAML', 'openapi', 'a: [', /neither YAML nor JSON: line 1/],
  ['a key twice', 'openapi', openapi('paths: {}\npaths: {}'), /line 4.*unique/],
  ['a list', 'openapi', '[]', /must be an object/],
  ['no version', 'openapi', 'info: {}', /must have openapi: 3/],
  ['Swagger 2', 'openapi', 'swagger: "2.0"', /convert Swagger 2/],
  ['AsyncAPI 1', 'asyncapi', 'asyncapi: 1.2.0', /asyncapi: 2/],
  ['no title', 'openapi', 'openapi: 3.1.0', /title in info/],
  [
    'a reference to an address',
    'openapi',
    openapi('paths: { /a: { $ref: "http://169.254.169.254/latest" } }'),
    /paths\.\/a refers to http:\/\/169\.254\.169\.254\/latest.*never fetched/,
  ],
  [
    'a reference to a file',
    'openapi',
    openapi('components: { schemas: { A: { $ref: ../../etc/passwd } } }'),
    /components\.schemas\.A refers to \.\.\/\.\.\/etc\/passwd/,
  ],
  [
    'a reference in a message',
    'asyncapi',
    'asyncapi: 3.0.0\ninfo: { title: E, version: "1" }\ncomponents: { messages: { m: { payload: { $ref: "//evil/x" } } } }',
    /refers to \/\/evil\/x/,
  ],
  [
    'a placeholder of the catalog',
    'openapi',
    openapi('paths: { $text: "http://evil" }'),
    /paths is a \$text placeholder/,
  ],
  [
    'a key that changes objects',
    'openapi',
    openapi('__proto__: {}'),
    /__proto__/,
  ],
  ['half a character', 'grpc', 'a\ud800', /Unicode/],
  ['a NUL', 'graphql', 'type Query { a: Int }\u0000', /NUL/],
  ['no GraphQL', 'graphql', 'type Query {', /not a GraphQL schema: line 1/],
  [
    'GraphQL that does not hold together',
    'graphql',
    'type Query { a: Nothing }',
    /Nothing/,
  ],
])('refuses %s', (_what, format, definition, message) => {
  expect(() => parseDocument(format, definition)).toThrow(DocumentProblem);
  expect(() => parseDocument(format, definition)).toThrow(message);
});

it('refuses bombs of aliases and of depth at once', () => {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
  for (let i = 1; i < 12; i++) {
    const alias = `*a${i - 1}`;
    lines.push(`a${i}: &a${i} [${Array(10).fill(alias).join(', ')}]`);
  }
  expect(() => parseDocument('openapi', openapi(lines.join('\n')))).toThrow(
    /write out what its aliases stand for/,
  );
  const deep = openapi(`x: ${'['.repeat(200)}${']'.repeat(200)}`);
  expect(() => parseDocument('openapi', deep)).toThrow(/nested deeper/);
});
