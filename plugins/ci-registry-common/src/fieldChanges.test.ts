import fc from 'fast-check';
import { applyFieldChanges, diffFields } from './fieldChanges';

describe('field changes', () => {
  it('says what changed, with the value before', () => {
    const before = {
      kind: 'Component',
      metadata: { name: 'a', tags: ['x', 'y', 'z'], 'a/b~c': 1 },
      spec: { owner: 'one', dependsOn: ['r'] },
    };
    const after = {
      kind: 'Component',
      metadata: { name: 'a', tags: ['x', 'z'], 'a/b~c': 2, title: 'A' },
      spec: { owner: 'two', dependsOn: ['r', 's'] },
    };
    expect(diffFields(before, after)).toEqual([
      { op: 'replace', path: '/metadata/a~1b~0c', before: 1, after: 2 },
      { op: 'remove', path: '/metadata/tags/1', before: 'y' },
      { op: 'add', path: '/metadata/title', after: 'A' },
      { op: 'add', path: '/spec/dependsOn/1', after: 's' },
      { op: 'replace', path: '/spec/owner', before: 'one', after: 'two' },
    ]);
    expect(diffFields(before, structuredClone(before))).toEqual([]);
    expect(diffFields(undefined, after)).toEqual([
      { op: 'add', path: '', after },
    ]);
  });

  it('gives the value after, for any two values', () => {
    const json = fc.jsonValue({ maxDepth: 4 }).map(value =>
      // As it comes out of a body: -0 is 0 there.
      JSON.parse(JSON.stringify(value)),
    );
    fc.assert(
      fc.property(json, json, (before, after) => {
        const changes = JSON.parse(JSON.stringify(diffFields(before, after)));
        const copy = structuredClone(before);
        expect(applyFieldChanges(before, changes)).toEqual(after);
        expect(before).toEqual(copy);
      }),
      { numRuns: 500 },
    );
    const arrays = fc.array(fc.nat(3), { maxLength: 8 });
    fc.assert(
      fc.property(arrays, arrays, (before, after) => {
        expect(applyFieldChanges(before, diffFields(before, after))).toEqual(
          after,
        );
      }),
      { numRuns: 500 },
    );
  });

  it('says no to a path that does not exist', () => {
    for (const path of ['/b', '/a/2', '/a/x', '/a/0/x', '/c/d']) {
      expect(() =>
        applyFieldChanges({ a: [1, 2] }, [
          { op: 'replace', path, before: 0, after: 1 },
        ]),
      ).toThrow(`${path} does not exist`);
    }
  });
});
