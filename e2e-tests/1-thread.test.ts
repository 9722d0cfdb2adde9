import { type Page, expect, test } from '@playwright/test';
import { randomBytes, randomUUID } from 'node:crypto';
import type {
  BoardResponse,
  PathDetail,
} from '../plugins/critical-paths-common/src/api';
import type { ServiceStatus } from '../plugins/provisioning-common/src/api';
import { publishedFiles, renderedFiles } from './published';
import { accessible, api, enter, picture, saveStory } from './support';

/**
 * The thread of the product, as a newcomer walks it: look at the board,
 * scaffold a service, use it, and see its path move.
 */
test.describe.configure({ mode: 'serial' });

const PATH = 'transaction-posting';
const service = `e2e-ledger-${randomBytes(3).toString('hex')}`;
let page: Page;

test.beforeAll(async ({ browser }) => {
  page = await (await browser.newContext()).newPage();
});
test.afterAll(async () => {
  await page.context().close();
});

const board = () => api<BoardResponse>(page, 'critical-paths/paths?window=1h');
const path = () =>
  api<PathDetail>(page, `critical-paths/paths/default/${PATH}?window=1h`);

test('the home page shows critical paths, what the reader owns, and Create', async () => {
  await enter(page);
  await expect(page.getByText('Transaction service').first()).toBeVisible();
  await expect(
    page.getByRole('link', { name: 'Transaction service, Node.js' }),
  ).toBeVisible();
  await expect(page.getByText('Transaction posting').first()).toBeVisible();
  const sidebar = page.getByRole('navigation').first();
  for (const item of [
    'Home',
    'Critical paths',
    'Catalog',
    'APIs',
    'Docs',
    'Create',
    'Notifications',
    'Settings',
  ]) {
    await expect(
      sidebar.getByText(item, { exact: true }).first(),
    ).toBeVisible();
  }
  await picture(page, 'home');
});

test('the board fills with the figures of every critical path', async () => {
  await expect
    .poll(
      async () =>
        (await board()).rows.filter(row => row.signals.availability !== null)
          .length,
      { timeout: 180_000 },
    )
    .toBeGreaterThanOrEqual(5);
  await page.goto('/critical-paths?window=1h');
  await expect(page.getByText('Card authorization').first()).toBeVisible();
  await expect(page.getByText('Wallet top-up').first()).toBeVisible();
  await picture(page, 'board');
  await accessible(page);

  const { rows } = await board();
  const missing = rows.find(row => row.name === 'wallet-top-up')!;
  expect(['unknown', 'no-data']).toContain(missing.state);
  expect(missing.unknownComponents).toEqual([
    'component:default/wallet-transactions',
  ]);
});

test('a path that names an unknown component says so on its page', async () => {
  await page.goto('/critical-paths/default/wallet-top-up');
  await expect(page.getByText('wallet-transactions').first()).toBeVisible();
  await picture(page, 'path-unknown-component');
});

test('every board opens and can be used by everybody', async () => {
  for (const [name, query, text] of [
    ['board-uptime', 'board=uptime', 'Objective'],
    ['board-throughput', 'board=throughput', 'Objective'],
    ['board-error-rate', 'board=error-rate', 'Objective'],
    ['board-latency', 'board=latency', 'Objective'],
    ['board-teams', 'board=teams', 'Smallest error budget'],
  ]) {
    await page.goto(`/critical-paths?${query}`);
    await expect(
      page.getByRole('columnheader', { name: text }).first(),
    ).toBeVisible();
    await expect(page.getByRole('rowheader').first()).toBeVisible();
    await picture(page, name);
    await accessible(page);
  }
  await page.goto('/critical-paths?wall=on');
  const wall = page.getByRole('region', { name: /wall screen/ });
  await expect(
    wall.getByRole('heading', { name: 'Card authorization' }),
  ).toBeVisible();
  await picture(page, 'wall-screen', { asItIs: true });
  await page.keyboard.press('Escape');
  await expect(page.getByRole('table').first()).toBeVisible();
});

test('the incident of the demo is explained: application, deployment, budget', async () => {
  const card = () =>
    api<PathDetail>(
      page,
      'critical-paths/paths/default/card-authorization?window=7d',
    );
  const hotfix = (detail: PathDetail) =>
    detail.changes.find(
      change => change.kind === 'deployment' && /hotfix/.test(change.title),
    );
  // Back-filled history, attributed by the hour and the minute.
  await expect
    .poll(async () => hotfix(await card())?.burn?.budgetPercent ?? 0, {
      timeout: 200_000,
      intervals: [3000],
    })
    .toBeGreaterThan(5);
  const detail = await card();
  const atFault = detail.attribution.rows.find(
    row => row.entityRef === 'component:default/authorization-service',
  );
  expect(atFault?.budgetPercent ?? 0).toBeGreaterThan(5);
  expect(hotfix(detail)).toMatchObject({
    entityRef: 'component:default/authorization-service',
  });
  expect(
    detail.changes.some(
      change =>
        change.kind === 'incident' &&
        change.entityRef === 'component:default/authorization-service',
    ),
  ).toBe(true);

  await page.goto('/critical-paths/default/card-authorization?window=7d');
  const who = page.locator('section', { hasText: 'Who burned the budget' });
  await expect(
    who.getByRole('listitem').filter({ hasText: 'Authorization service' }),
  ).toContainText('of the path’s budget');
  const happened = page.locator('section', { hasText: 'What happened' });
  await expect(
    happened.getByRole('listitem').filter({ hasText: 'hotfix' }),
  ).toContainText('of the budget');
  await picture(page, 'path-incident');
  await accessible(page);
});

test('the form refuses a bad and a taken name at once', async () => {
  await page.goto('/create/templates/default/transaction-service-nodejs');
  const name = page.getByLabel(/^Name/).first();
  await name.fill('transaction-service');
  await expect(page.getByText(/taken|already/i).first()).toBeVisible();
  for (const bad of [
    'Wallet',
    'a b',
    '../etc',
    '${{ x }}',
    'x; rm -rf',
    `a${'b'.repeat(64)}`,
  ]) {
    await name.fill(bad);
    await page.getByRole('button', { name: /^(next|weiter)$/i }).click();
    await expect(
      page.getByLabel(/^Name/).first(),
      `'${bad}' is refused`,
    ).toBeVisible();
  }
  await picture(page, 'create-refused', { asItIs: true });
});

test('a scaffold ends in a running, registered service', async () => {
  await page.goto('/create/templates/default/transaction-service-nodejs');
  await page.getByLabel(/^Name/).first().fill(service);
  await page
    .getByLabel(/^Owner/)
    .first()
    .fill('ledger');
  await page
    .getByRole('option', { name: /ledger/i })
    .first()
    .click();
  await page
    .getByLabel(/^Description/)
    .first()
    .fill('Keeps the books of the end-to-end test.');
  await picture(page, 'create-form', { asItIs: true });
  await page.getByRole('button', { name: 'Next' }).click();

  await page
    .getByLabel(/^Business model/)
    .first()
    .click();
  await page
    .getByRole('option', { name: /payments/i })
    .first()
    .click();
  await page.keyboard.press('Escape');
  const paths = page.getByRole('button', { name: /Critical path and step/ });
  await paths.click();
  // By keyboard: the list slides in, and a click could land on its neighbour.
  await page.getByRole('option', { name: /Transaction posting/ }).focus();
  await page.keyboard.press('Enter');
  await expect(paths).toContainText('Transaction posting');
  const entryStep = page.getByRole('radio', { name: /1\./ });
  await entryStep.check({ force: true });
  await expect(entryStep).toBeChecked();
  await picture(page, 'create-step', { asItIs: true });
  await page.getByRole('button', { name: /Review/ }).click();
  await picture(page, 'create-review', { asItIs: true });
  await page.getByRole('button', { name: 'Create' }).last().click();

  await expect(page.getByText('Publish the repository').first()).toBeVisible();
  await picture(page, 'create-running', { asItIs: true });
  await expect(
    page
      .getByRole('link', { name: 'Running service' })
      .or(page.getByRole('button', { name: 'Running service' }))
      .first(),
  ).toBeVisible({ timeout: 400_000 });
  await picture(page, 'create-done');

  const status = await api<ServiceStatus>(
    page,
    `provisioning/services/${service}`,
  );
  expect(status.state).toBe('healthy');
  const ready = await fetch(`${status.url}/readyz`);
  expect(ready.status).toBe(200);
});

test('what was published is what the template rig tests', async () => {
  expect(await publishedFiles(page, service)).toEqual(
    await renderedFiles('transaction-service-nodejs', {
      name: service,
      owner: 'group:default/ledger',
      description: 'Keeps the books of the end-to-end test.',
      businessModel: 'domain:default/payments',
      criticalPathStep: {
        criticalPath: `criticalpath:default/${PATH}`,
        step: 'post',
      },
    }),
  );
});

test('the catalog shows the service, its runtime, its API, its docs and its path', async () => {
  await page.goto(`/catalog/default/component/${service}`);
  await expect(
    page.getByRole('heading', { name: new RegExp(service) }).first(),
  ).toBeVisible();
  await picture(page, 'component');
  await page.goto(`/catalog/default/component/${service}/runtime`);
  await expect(page.getByText(/healthy/i).first()).toBeVisible();
  await picture(page, 'component-runtime');
  await page.goto(`/catalog/default/component/${service}/critical-paths`);
  await expect(page.getByText('Transaction posting').first()).toBeVisible();
  await picture(page, 'component-critical-paths');
  if (process.env.ROCKET_E2E_DOCS) {
    await page.goto(`/docs/default/component/${service}`);
    await expect(
      page.getByRole('heading', { name: new RegExp(service, 'i') }).first(),
    ).toBeVisible({ timeout: 90_000 });
    await picture(page, 'component-docs');
  }
});

test('traffic on the service moves its path on the board', async () => {
  const { url } = await api<ServiceStatus>(
    page,
    `provisioning/services/${service}`,
  );

  const post = async (target: string, body: unknown) => {
    const response = await fetch(`${url}${target}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'idempotency-key': randomUUID(),
      },
      body: JSON.stringify(body),
    });
    expect(response.status, await response.clone().text()).toBe(201);
    return await response.json();
  };
  const account = (name: string, kind: string) =>
    post('/v1/accounts', { name, kind, currency: 'USD' });
  const a = await account('Cash', 'asset');
  const b = await account('Wallets', 'liability');
  const transactions = 300;
  for (let i = 0; i < transactions; i++) {
    const amount = { value: '100', currency: 'USD' };
    await post('/v1/transactions', {
      legs: [
        { accountId: a.id, direction: 'debit', amount },
        { accountId: b.id, direction: 'credit', amount },
      ],
    });
  }
  saveStory({ service, url: url!, accountId: a.id, transactions });

  // Agent, collector of the sandbox, NerdGraph, collector of the portal, store: the real way through.
  const mine = (detail: PathDetail) =>
    detail.applicationDetails.find(
      app => app.entityRef === `component:default/${service}`,
    );
  await expect
    .poll(async () => mine(await path())?.signals.valid ?? 0, {
      timeout: 200_000,
      intervals: [3000],
    })
    .toBeGreaterThanOrEqual(transactions);
  const after = await path();
  expect(mine(after)).toMatchObject({
    joined: true,
    known: true,
    steps: ['post'],
  });
  expect(mine(after)!.signals.availability).toBe(1);
  // It serves the entry step, so the path's own figures contain it. Compared within one answer: the window moves on between two.
  const entry = after.steps.find(step => step.entry)!;
  expect(entry.applications).toContain(`component:default/${service}`);
  const served = after.applicationDetails
    .filter(app => entry.applications.includes(app.entityRef))
    .reduce((sum, app) => sum + app.signals.valid, 0);
  expect(after.signals.valid).toBe(served);

  await page.goto(`/critical-paths/default/${PATH}?window=1h`);
  await expect(
    page.getByRole('link', { name: new RegExp(service) }).first(),
  ).toBeVisible();
  await picture(page, 'path');
  await accessible(page);
});

test('the other pages open', async () => {
  for (const [name, url, text] of [
    ['catalog', '/catalog', /Catalog/],
    ['apis', '/api-docs', /APIs/],
    ['docs', '/docs', /Documentation|Docs/],
    ['search', '/search?query=ledger', /ledger/i],
    ['notifications', '/notifications', /Notifications/],
    ['settings', '/settings', /Settings/],
    [
      'critical-path-entity',
      '/catalog/default/criticalpath/transaction-posting',
      /Transaction posting/,
    ],
    ['domain', '/catalog/default/domain/payments', /Payments/],
  ] as const) {
    await page.goto(url);
    await expect(page.getByText(text).first()).toBeVisible();
    await picture(page, name);
  }
});
