import { expect, test } from '@playwright/test';
import type { ServiceStatus } from '../plugins/provisioning-common/src/api';
import { api, enter, loadStory } from './support';

/** Runs after the portal was stopped and started again on the same data. */
test('the service came back at its address, with its data', async ({
  page,
}) => {
  const story = loadStory();
  await enter(page);
  await expect
    .poll(
      async () =>
        (
          await api<ServiceStatus>(
            page,
            `provisioning/services/${story.service}`,
          )
        ).state,
      { timeout: 90_000 },
    )
    .toBe('healthy');
  const response = await fetch(
    `${story.url}/v1/accounts/${story.accountId}/balance`,
  );
  expect(response.status).toBe(200);
  expect(JSON.stringify(await response.json())).toContain(
    String(story.transactions * 100),
  );

  await page.goto(`/catalog/default/component/${story.service}`);
  await expect(
    page.getByRole('heading', { name: new RegExp(story.service) }).first(),
  ).toBeVisible();
});
