import { type Page, expect } from '@playwright/test';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { guestToken } from './support';

const ROOT = join(__dirname, '..');

/** Hash and run bit of every file below a folder, by path. */
function tree(folder: string): Record<string, string> {
  const files = execFileSync(
    'find',
    ['.', '-name', '.git', '-prune', '-o', '-type', 'f', '-print0'],
    { cwd: folder, encoding: 'utf8' },
  );
  return Object.fromEntries(
    files
      .split('\0')
      .filter(Boolean)
      .sort()
      .map(file => {
        const path = join(folder, file);
        const hash = createHash('sha256')
          .update(readFileSync(path))
          .digest('hex');
        return [file, `${hash}${statSync(path).mode & 0o111 ? ' runs' : ''}`];
      }),
  );
}

async function inFolder<T>(
  use: (folder: string) => Promise<T> | T,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'rocket-published-'));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What is in a repository on the portal's own Git host, as somebody gets it who clones it. */
export function publishedFiles(page: Page, repository: string) {
  return inFolder(async folder => {
    const headers = { authorization: `Bearer ${await guestToken(page)}` };
    const answer = await page.request.post('/api/provisioning/git-tokens', {
      headers,
      data: { repository, access: 'read' },
    });
    expect(answer.status()).toBe(201);
    const { token } = await answer.json();
    const url = new URL(
      `/api/provisioning/git/${repository}.git`,
      process.env.PLAYWRIGHT_URL,
    );
    // Not in the address, which a failing git repeats.
    const basic = Buffer.from(`e2e:${token}`).toString('base64');
    execFileSync('git', ['clone', '--quiet', url.href, 'clone'], {
      cwd: folder,
      env: {
        ...process.env,
        GIT_TERMINAL_PROMPT: '0',
        GIT_CONFIG_COUNT: '1',
        GIT_CONFIG_KEY_0: 'http.extraHeader',
        GIT_CONFIG_VALUE_0: `Authorization: Basic ${basic}`,
      },
    });
    return tree(join(folder, 'clone'));
  });
}

/** What the template rig makes of the same answers. */
export function renderedFiles(
  template: string,
  answers: Record<string, unknown>,
) {
  return inFolder(folder => {
    execFileSync(
      process.execPath,
      [
        ...['--require', '@backstage/cli/config/nodeTransform.cjs'],
        join(ROOT, 'templates/rig/render.ts'),
        ...['--template', template, '--out', folder],
        ...['--values', JSON.stringify(answers)],
      ],
      { cwd: ROOT },
    );
    return tree(folder);
  });
}
