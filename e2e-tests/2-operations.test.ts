import { type Page, expect, test } from '@playwright/test';
import type {
  Effect,
  Environment,
  Operation,
  ServiceStatus,
} from '../plugins/provisioning-common/src';
import { accessible, api, enter, loadStory, picture } from './support';

/**
 * Day 2 of the service that the first part made: see what exists for it,
 * rotate its credentials, run a branch beside it, and retire it.
 */
test.describe.configure({ mode: 'serial' });

let page: Page;
let service: string;
let subject: string;

test.beforeAll(async ({ browser }) => {
  ({ service } = loadStory());
  subject = `component:default/${service}`;
  page = await (await browser.newContext()).newPage();
  await enter(page);
});
test.afterAll(async () => {
  await page.context().close();
});

const effects = async () =>
  (
    await api<{ items: Effect[] }>(
      page,
      `provisioning/effects?subject=${encodeURIComponent(subject)}`,
    )
  ).items;
const operations = async () =>
  (
    await api<{ items: Operation[] }>(
      page,
      `provisioning/operations?subject=${encodeURIComponent(subject)}`,
    )
  ).items;

/** Presses Operate and one of its items, fills in what it asks for, looks at the plan and agrees to it. */
async function operate(
  item: string,
  fill: () => Promise<void> = async () => {},
) {
  const before = (await operations()).length;
  await page.goto(`/catalog/default/component/${service}/resources`);
  await page.getByRole('button', { name: 'Operate' }).click();
  await page.getByRole('menuitem', { name: item }).click();
  const dialog = page.getByRole('dialog');
  await fill();
  await dialog.getByRole('button', { name: 'Show the plan' }).click();
  await expect(dialog.getByRole('list', { name: /^Plan: / })).toBeVisible();
  await picture(page, `plan-${item.replace(/\W/g, '').toLowerCase()}`, {
    asItIs: true,
  });
  await dialog
    .getByRole('textbox', { name: /^Reason/ })
    .fill('The end-to-end test wants it');
  await dialog.getByRole('button', { name: 'Do it' }).click();
  await expect(dialog).toBeHidden();
  await expect.poll(async () => (await operations()).length).toBe(before + 1);
}

/** Waits until nothing of the component is under way, and says how the newest operation ended. */
async function ended(): Promise<Operation> {
  await expect
    .poll(async () => (await operations())[0].state, {
      timeout: 240_000,
      intervals: [2000],
    })
    .not.toBe('running');
  return (await operations())[0];
}

test('everything that the scaffold made is known', async () => {
  await expect
    .poll(
      async () =>
        (await effects())
          .filter(({ state }) => state === 'live')
          .map(({ type }) => type),
      { timeout: 120_000 },
    )
    .toEqual(
      expect.arrayContaining([
        'git.repository',
        'postgres.database',
        'local.service',
        'catalog.entity',
        'newrelic.alert-policy',
        'newrelic.dashboard',
      ]),
    );
  await page.goto(`/catalog/default/component/${service}/resources`);
  await expect(page.getByText('Git repository').first()).toBeVisible();
  await page.getByText('PostgreSQL database').first().click();
  await expect(page.getByText('To take it back').first()).toBeVisible();
  await picture(page, 'component-resources');
  await accessible(page);
  // No row holds a secret that works.
  expect(JSON.stringify(await effects())).not.toMatch(
    /postgres(ql)?:\/\/[^"]*:[^"@]+@/,
  );
});

test('rotating credentials is planned, done and leaves the service healthy', async () => {
  await operate('Rotate credentials…');
  expect((await ended()).state).toBe('done');
  const { state, url } = await api<ServiceStatus>(
    page,
    `provisioning/services/${service}`,
  );
  expect(state).toBe('healthy');
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
});

test('a branch runs in an environment of its own, and leaves nothing behind', async () => {
  await operate('New environment…', async () => {
    await page.getByRole('textbox', { name: /^Branch/ }).fill('main');
  });
  expect((await ended()).state).toBe('done');
  const { items } = await api<{ items: Environment[] }>(
    page,
    'provisioning/environments',
  );
  const environment = items.find(({ onDemand }) => onDemand)!;
  expect(environment.onDemand).toMatchObject({
    state: 'ready',
    subject,
    branch: 'main',
  });
  expect((await fetch(`${environment.onDemand!.url}/readyz`)).status).toBe(200);

  await page.goto('/environments');
  await expect(
    page.getByRole('heading', { name: environment.title }),
  ).toBeVisible();
  await picture(page, 'environments');
  await accessible(page);

  await page.getByRole('button', { name: 'Remove…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Show the plan' }).click();
  await dialog.getByRole('button', { name: 'Do it' }).click();
  await expect
    .poll(
      async () =>
        (
          await effects()
        ).filter(
          effect =>
            effect.environment === environment.name &&
            effect.state !== 'undone',
        ).length,
      { timeout: 120_000, intervals: [2000] },
    )
    .toBe(0);
});

test('retiring shows its plan first and leaves nothing alive', async () => {
  await operate('Retire…');
  const operation = await ended();
  expect(['done', 'partial']).toContain(operation.state);
  expect((await effects()).filter(({ state }) => state === 'live')).toEqual([]);
  await page.goto('/environments?view=operations');
  await expect(page.getByText('Retire').first()).toBeVisible();
  await picture(page, 'operations');
  await accessible(page);
});
