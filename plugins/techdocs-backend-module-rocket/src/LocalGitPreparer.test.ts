import { mockServices } from '@backstage/backend-test-utils';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocalGitPreparer, localDocsOf } from './LocalGitPreparer';

const entity = (annotations: Record<string, string>) => ({
  apiVersion: 'backstage.io/v1alpha1',
  kind: 'Component',
  metadata: { name: 'payments', annotations },
});
const REF = 'backstage.io/techdocs-ref';

describe('localDocsOf', () => {
  it.each([
    [
      'url:rocket-git://payments/tree/HEAD/',
      { repository: 'payments', folder: '' },
    ],
    [
      'url:rocket-git://payments/tree/HEAD/a/b',
      { repository: 'payments', folder: 'a/b' },
    ],
    ['url:https://github.com/acme/payments/tree/HEAD/', undefined],
    ['url:rocket-git://../tree/HEAD/', undefined],
    ['dir:.', undefined],
  ])('%s -> %j', (reference, expected) => {
    expect(localDocsOf(entity({ [REF]: reference }))).toEqual(expected);
  });
});

describe('LocalGitPreparer', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'local-git-preparer-'));
    const git = (...args: string[]) =>
      execFileSync('git', args, { cwd: join(folder, 'origin') });
    execFileSync('git', ['init', '-q', '-b', 'main', join(folder, 'origin')]);
    writeFileSync(join(folder, 'origin', 'mkdocs.yml'), 'site_name: x\n');
    git('add', '.');
    git('-c', 'user.name=t', '-c', 'user.email=t@t', 'commit', '-qm', 'one');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const stock = {
    shouldCleanPreparedDirectory: () => false,
    prepare: jest.fn(async () => ({ preparedDir: '/stock', etag: 's' })),
  };
  const preparer = () =>
    new LocalGitPreparer({
      stock,
      auth: mockServices.auth(),
      workDir: join(folder, 'work'),
      provisioning: {
        getRepository: async () => ({ cloneUrl: join(folder, 'origin') }),
        createGitToken: async () => ({ token: 'secret-token' }),
      } as any,
    });

  it('clones the repository, and only when it has changed', async () => {
    const pushed = entity({
      [REF]: 'url:rocket-git://payments/tree/HEAD/',
    });
    const { preparedDir, etag } = await preparer().prepare(pushed);
    expect(readFileSync(join(preparedDir, 'mkdocs.yml'), 'utf8')).toContain(
      'site_name',
    );
    expect(etag).toMatch(/^[0-9a-f]{40}$/);
    await expect(preparer().prepare(pushed, { etag })).rejects.toMatchObject({
      name: 'NotModifiedError',
    });
    expect(stock.prepare).not.toHaveBeenCalled();
    expect(
      readFileSync(join(preparedDir, '.git/config'), 'utf8'),
    ).not.toContain('secret-token');
  });

  it('refuses a reference that leads out of the repository', async () => {
    await expect(
      preparer().prepare(
        entity({ [REF]: 'url:rocket-git://payments/tree/HEAD/../../..' }),
      ),
    ).rejects.toThrow('leads out of its repository');
    expect(existsSync(join(folder, 'work', 'payments'))).toBe(true);
  });

  it('leaves all other entities to the stock preparer', async () => {
    await expect(
      preparer().prepare(entity({ [REF]: 'dir:.' })),
    ).resolves.toEqual({ preparedDir: '/stock', etag: 's' });
  });
});
