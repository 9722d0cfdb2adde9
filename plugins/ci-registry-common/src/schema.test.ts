import { normalizeRepository, registerRequestSchema } from './schema';

const source = {
  repository: 'https://Git.Example.com/acme/ledger.git/',
  commit: 'A'.repeat(40),
  time: '2026-11-20T08:15:00+01:00',
};

function issues(body: unknown) {
  const result = registerRequestSchema.safeParse(body);
  return result.success
    ? []
    : result.error.issues.map(i => `${i.path.join('.')}: ${i.message}`);
}

describe('normalizeRepository', () => {
  it.each([
    [
      'https://Git.Example.com/acme/ledger.git/',
      'https://git.example.com/acme/ledger',
    ],
    [
      'https://git.example.com/acme/ledger',
      'https://git.example.com/acme/ledger',
    ],
    [' acme/ledger ', 'acme/ledger'],
    ['git@git.example.com:acme/ledger.git', 'git@git.example.com:acme/ledger'],
  ])('%s → %s', (input, expected) => {
    expect(normalizeRepository(input)).toBe(expected);
    expect(normalizeRepository(expected)).toBe(expected);
  });

  it.each(['https://u:p@git.example.com/a', 'https://t@git.example.com/a'])(
    'refuses credentials in %s',
    input => {
      expect(() => normalizeRepository(input)).toThrow('credentials');
    },
  );
});

describe('registerRequestSchema', () => {
  it('normalizes the source', () => {
    const parsed = registerRequestSchema.parse({ source, entities: [{}] });
    expect(parsed.source).toEqual({
      repository: 'https://git.example.com/acme/ledger',
      commit: 'a'.repeat(40),
      time: '2026-11-20T08:15:00+01:00',
    });
  });

  it('names the field', () => {
    expect(
      issues({ source: { ...source, commit: 'main' }, entities: [{}] }),
    ).toEqual([
      'source.commit: must be a full commit id: 40 or 64 hexadecimal digits',
    ]);
    expect(
      issues({ source: { ...source, time: 'now' }, entities: [{}] })[0],
    ).toMatch(/^source.time: must be an ISO 8601/);
    expect(
      issues({ source: { ...source, branch: 'a\nb' }, entities: [{}] })[0],
    ).toMatch(/^source.branch: must be one line/);
    expect(
      issues({
        source: { ...source, repository: 'https://a:b@c/d' },
        entities: [{}],
      }),
    ).toEqual([
      'source.repository: must not carry credentials; leave out the user part',
    ]);
    expect(issues({ source, entities: [] })).toEqual([
      'entities: must hold at least one entity',
    ]);
    expect(issues({ source, entities: [{}, 'x'] })[0]).toMatch(/^entities.1: /);
    expect(issues({ source, entities: [{}], extra: 1 })[0]).toMatch(/extra/);
  });
});
