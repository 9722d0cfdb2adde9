import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { incompatible, takeContracts } from '../../scripts/ci/compatible.ts';
import { repository } from './support.ts';

const schema = (more: object = {}) =>
  JSON.stringify({
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'https://example.com/posted.v1.schema.json',
    type: 'object',
    required: ['id'],
    properties: { id: { type: 'string', format: 'uuid' }, note: { type: 'string' } },
    ...more,
  });
const FILE = 'contracts/events/schemas/posted.v1.schema.json';
let repo: ReturnType<typeof repository>;
let base: string;

beforeEach(() => {
  repo = repository();
  base = repo.commit({
    'contracts/openapi.yaml': 'openapi: 3.1.0\n',
    [FILE]: schema(),
    'contracts/events/examples/posted.v1/plain.json': '{"id":"6f1c9a52-0f5e-4e5e-8a3e-0f3a0c6f1d11","note":"x"}',
  });
});
afterEach(() => repo.remove());

/** What is said after the change of the files. */
function after(files: Record<string, string>): string[] {
  repo.write(files);
  const out = join(repo.folder, 'ci-out/base');
  expect(takeContracts(repo.folder, base, out)).toBe(true);
  return incompatible(out, repo.folder);
}

describe('contracts after a change', () => {
  it('may say more', () => {
    expect(after({ [FILE]: schema({ properties: { id: { type: 'string' }, extra: { type: 'number' } } }) })).toEqual(
      [],
    );
    expect(readFileSync(join(repo.folder, 'ci-out/base/contracts/openapi.yaml'), 'utf8')).toBe('openapi: 3.1.0\n');
  });

  it.each([
    ['a new required field', schema({ required: ['id', 'amount'] })],
    ['another type', schema({ properties: { id: { type: 'number' } } })],
    ['a field less, where others are refused', schema({ properties: { id: {} }, additionalProperties: false })],
  ])('may not have %s', (_, text) => {
    expect(after({ [FILE]: text })).toEqual([expect.stringMatching(/^posted\.v1: no longer accepts plain\.json/)]);
  });

  it('may not lose a type', () => {
    repo.git('rm', '--quiet', FILE);
    expect(after({})).toEqual(['posted.v1: the type is gone; keep it until nobody reads it']);
  });

  it.each([undefined, '', '0'.repeat(40), 'f'.repeat(40), '--help'])('are not compared with %j', commit => {
    const out = join(repo.folder, 'ci-out/base');
    expect(takeContracts(repo.folder, commit, out)).toBe(false);
    expect(readFileSync(join(out, 'commit.txt'), 'utf8')).toBe('none\n');
    expect(existsSync(join(out, 'contracts'))).toBe(false);
  });
});
