import AxeBuilder from '@axe-core/playwright';
import { type Page, expect } from '@playwright/test';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ARTIFACTS = join(__dirname, '..', 'e2e-artifacts');
const STORY = join(ARTIFACTS, 'story.json');

/** What the first part of the story made and the second part looks for again. */
export interface Story {
  service: string;
  url: string;
  accountId: string;
  transactions: number;
}

export function saveStory(story: Story) {
  mkdirSync(ARTIFACTS, { recursive: true });
  writeFileSync(STORY, JSON.stringify(story));
}

export function loadStory(): Story {
  return JSON.parse(readFileSync(STORY, 'utf8'));
}

/** Opens the portal as the guest; returns once the home page is there. */
export async function enter(page: Page) {
  await page.goto('/');
  const button = page.getByRole('button', { name: 'Enter' });
  const home = page.getByRole('heading', { name: /^Welcome,? ?/ });
  await expect(button.or(home).first()).toBeVisible();
  if (await button.isVisible()) await button.click();
  await expect(
    page.getByRole('heading', { name: 'What you own' }),
  ).toBeVisible();
}

/** A Backstage token of the guest, for calls beside the browser. */
export async function guestToken(page: Page): Promise<string> {
  const response = await page.request.get('/api/auth/guest/refresh', {
    headers: { 'x-requested-with': 'XMLHttpRequest' },
  });
  expect(response.ok()).toBeTruthy();
  return (await response.json()).backstageIdentity.token;
}

/** The answer of a backend plugin, as the guest. */
export async function api<T>(page: Page, path: string): Promise<T> {
  const response = await page.request.get(`/api/${path}`, {
    headers: { authorization: `Bearer ${await guestToken(page)}` },
  });
  expect(response.ok(), `${path} answers ${response.status()}`).toBeTruthy();
  return await response.json();
}

/** Waits until nothing is loading any more; a picture is no assertion, so it is taken in any case. */
async function drawn(page: Page) {
  await page.waitForTimeout(400);
  await page
    .locator('.bui-Skeleton, [role="progressbar"]')
    .first()
    .waitFor({ state: 'detached', timeout: 10_000 })
    .catch(() => {});
  await page.waitForTimeout(300);
}

/**
 * A picture of the page for people, in both themes and narrow too. Changing the
 * theme draws the page anew, so a form that is being filled in is taken as it is.
 */
export async function picture(
  page: Page,
  name: string,
  options: { asItIs?: boolean } = {},
) {
  const folder = join(ARTIFACTS, 'screenshots');
  mkdirSync(folder, { recursive: true });
  if (options.asItIs) {
    await page.screenshot({ path: join(folder, `${name}-light.png`) });
    return;
  }
  const size = page.viewportSize()!;
  const theme = async (mode: 'light' | 'dark') => {
    await page.evaluate(value => {
      localStorage.setItem('theme', value);
      window.dispatchEvent(
        new StorageEvent('storage', { key: 'theme', newValue: value }),
      );
    }, mode);
    await drawn(page);
  };
  for (const mode of ['light', 'dark'] as const) {
    await theme(mode);
    await page.screenshot({ path: join(folder, `${name}-${mode}.png`) });
  }
  await theme('light');
  await page.setViewportSize({ width: 390, height: 844 });
  await drawn(page);
  await page.screenshot({ path: join(folder, `${name}-narrow.png`) });
  await page.setViewportSize(size);
}

/** Nothing on our own part of the page that shuts somebody out. */
export async function accessible(page: Page) {
  const { violations } = await new AxeBuilder({ page })
    .include('#root')
    // The sidebar is Backstage's own.
    .exclude('nav')
    .withTags(['wcag2a', 'wcag2aa'])
    .analyze();
  const serious = violations.filter(
    v => v.impact === 'serious' || v.impact === 'critical',
  );
  // Soft: the story goes on, the run still fails.
  expect
    .soft(serious.map(v => `${v.id}: ${v.nodes.map(n => n.target).join(' ')}`))
    .toEqual([]);
}
