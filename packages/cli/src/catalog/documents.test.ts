import fc from 'fast-check';
import { parseDocuments } from './documents';
import { portalProblems, resolveField } from './portalProblems';

const read = (text: string) => parseDocuments(text, '/r/c.yaml', 'c.yaml');
const problems = (text: string) =>
  read(text).problems.map(p => `${p.line}:${p.column} ${p.rule} ${p.message}`);

describe('documents of a catalog file', () => {
  it('knows the line of every field, and of what is around a missing one', () => {
    const [first, second] = read(
      [
        'kind: Component',
        'metadata:',
        '  name: a',
        '  annotations:',
        '    rocket.internal/critical-path: x',
        '---',
        '# a comment',
        'kind: API',
        'spec:',
        '  tags: [a, b]',
        '  list:',
        '    - one',
        '    - deep: {er: 1}',
      ].join('\n'),
    ).documents;
    expect(first.locate(['metadata', 'name'])).toEqual({ line: 3, column: 3 });
    expect(
      first.locate([
        'metadata',
        'annotations',
        'rocket.internal/critical-path',
      ]),
    ).toEqual({ line: 5, column: 5 });
    expect(first.locate(['metadata', 'labels', 'x'])).toEqual({
      line: 2,
      column: 1,
    });
    expect(second.locate([])).toEqual({ line: 8, column: 1 });
    expect(second.locate(['spec', 'tags', 1])).toEqual({
      line: 10,
      column: 13,
    });
    expect(second.locate(['spec', 'list', 1, 'deep', 'er'])).toEqual({
      line: 13,
      column: 14,
    });
    expect(second.locate(['spec', 'owner'])).toEqual({ line: 9, column: 1 });
  });

  it('goes on after a broken document', () => {
    const { documents } = read('kind: [a\n---\nkind: B\n');
    expect(documents.length).toBeLessThanOrEqual(1);
    expect(problems('kind: A\nkind: B\n')).toEqual([
      expect.stringMatching(/^2:1 yaml Map keys must be unique/),
    ]);
  });

  it.each([
    ['[', 100_000],
    ['{a: ', 100_000],
    ['- ', 100_000],
    ['a: [', 60],
  ])('refuses %j nested %d times', (open, times) => {
    expect(problems(open.repeat(times)).join()).toMatch(
      /nested deeper than 40 levels|yaml/,
    );
    expect(read(open.repeat(times)).documents).toEqual([]);
  });

  it('refuses deep nesting that is well-formed', () => {
    expect(problems(`${'['.repeat(42)}${']'.repeat(42)}`)).toEqual([
      '1:1 limit is nested deeper than 40 levels',
    ]);
    expect(problems(`${'['.repeat(41)}${']'.repeat(41)}`)).toEqual([]);
  });

  it('refuses aliases that make too many copies', () => {
    const bomb = [
      'a: &a [x, x, x, x, x, x, x, x, x]',
      ...['b', 'c', 'd', 'e', 'f', 'g'].map(
        (name, i) =>
          `${name}: &${name} [${Array(9)
            .fill(`*${String.fromCharCode(97 + i)}`)
            .join(', ')}]`,
      ),
    ].join('\n');
    expect(problems(bomb)).toEqual([
      expect.stringContaining('its aliases make more than 100 copies'),
    ]);
    const honest = read('a: &a {x: 1}\nb: {<<: *a, y: 2}\nc: *a\n');
    expect(honest.problems).toEqual([]);
    expect(honest.documents[0].value).toEqual({
      a: { x: 1 },
      b: { x: 1, y: 2 },
      c: { x: 1 },
    });
  });

  it('refuses more documents than any repository has', () => {
    expect(problems('--- 1\n'.repeat(1001))).toEqual([
      '1:1 limit holds more than 1000 documents',
    ]);
  });
});

describe('paths of the portal', () => {
  it('finds keys that hold dots', () => {
    const entity = {
      metadata: { annotations: { 'a.b/c.d': 'x', a: { 'b/c': 1 } } },
      spec: { steps: [{ name: 'x' }] },
    };
    expect(
      resolveField(entity, 'metadata.annotations.a.b/c.d'.split('.')),
    ).toEqual(['metadata', 'annotations', 'a.b/c.d']);
    expect(resolveField(entity, 'spec.steps.0.name'.split('.'))).toEqual([
      'spec',
      'steps',
      0,
      'name',
    ]);
    expect(resolveField(entity, 'spec.owner'.split('.'))).toEqual([
      'spec',
      'owner',
    ]);
  });

  it('always leads to a value that is there, or to the nearest one', () => {
    const key = fc.constantFrom('a', 'a.b', 'b', 'b.c', 'a.b.c', 'c');
    const tree = fc.letrec(tie => ({
      node: fc.oneof(
        { maxDepth: 4 },
        fc.integer(),
        fc.array(tie('node'), { maxLength: 3 }),
        fc.dictionary(key, tie('node'), { maxKeys: 4 }),
      ),
    })).node;
    fc.assert(
      fc.property(
        tree,
        fc.array(fc.nat(6), { maxLength: 5 }),
        (root, picks) => {
          let node: any = root;
          const path: string[] = [];
          for (const pick of picks) {
            const keys =
              node && typeof node === 'object' ? Object.keys(node) : [];
            if (keys.length === 0) break;
            path.push(keys[pick % keys.length]);
            node = node[keys[pick % keys.length]];
          }
          const found = resolveField(
            root,
            path.join('.').split('.').filter(Boolean),
          );
          let reached: any = root;
          for (const part of found.slice(0, -1)) {
            expect(Object.hasOwn(reached, part)).toBe(true);
            reached = reached[part];
          }
          // Keys that hold dots may be read in two ways; without any the way is the one that was taken.
          const plain = !JSON.stringify(root).includes('.');
          expect(plain ? found.map(String) : path).toEqual(path);
        },
      ),
    );
  });

  it('stand at the lines of the files', () => {
    const { documents } = read(
      'kind: A\nmetadata:\n  name: x\n---\nkind: B\nspec:\n  owner: y\n',
    );
    const found = portalProblems(
      {
        valid: false,
        problems: [
          {
            field: 'entities.1.spec.owner',
            message: 'is unknown',
            severity: 'error',
          },
          {
            field: 'source.time',
            message: 'is in the future',
            severity: 'warning',
          },
          { field: 'entities.9.kind', message: 'odd', severity: 'error' },
        ],
      },
      documents,
      documents.map(document => document.value),
      'c.yaml',
    );
    expect(
      found.map(p => `${p.file}:${p.line}:${p.column} ${p.message}`),
    ).toEqual([
      'c.yaml:7:3 spec.owner: is unknown',
      'c.yaml:1:1 source.time: is in the future',
      'c.yaml:1:1 entities.9.kind: odd',
    ]);
  });
});
