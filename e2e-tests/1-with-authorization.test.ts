import { expect, test } from '@playwright/test';
import { randomBytes } from 'node:crypto';
import type { ServiceStatus } from '../plugins/provisioning-common/src/api';
import { publishedFiles, renderedFiles } from './published';
import { api, enter, guestToken } from './support';

/**
 * The other golden service, scaffolded as another program would do it, over the API: it runs, and what was published is what the template
 * rig tests.
 */
const service = `e2e-cards-${randomBytes(3).toString('hex')}`;
const template = 'authorization-service-nodejs';
const answers = {
  name: service,
  owner: 'group:default/ledger',
  description: 'Decides card payments of the end-to-end test.',
  businessModel: 'domain:default/payments',
  criticalPathStep: {
    criticalPath: 'criticalpath:default/card-authorization',
    step: 'authorize',
  },
};

interface Task {
  status: string;
  steps?: { id: string; status: string }[];
}

test('an authorization service that was scaffolded over the API runs, and is what the template rig tests', async ({
  page,
}) => {
  await enter(page);
  const started = await page.request.post('/api/scaffolder/v2/tasks', {
    headers: { authorization: `Bearer ${await guestToken(page)}` },
    // As the form sends them, with its defaults.
    data: {
      templateRef: `template:default/${template}`,
      values: { ...answers, ci: 'github', broker: 'log' },
      secrets: {},
    },
  });
  expect(started.status(), await started.text()).toBe(201);
  const { id } = await started.json();
  // The last steps wait until the service is healthy and registered.
  await expect
    .poll(
      async () => (await api<Task>(page, `scaffolder/v2/tasks/${id}`)).status,
      { timeout: 400_000, intervals: [2000] },
    )
    .not.toMatch(/open|processing/);
  const task = await api<Task>(page, `scaffolder/v2/tasks/${id}`);
  expect(task.status).toBe('completed');

  const status = await api<ServiceStatus>(
    page,
    `provisioning/services/${service}`,
  );
  expect(status.state).toBe('healthy');
  expect((await fetch(`${status.url}/readyz`)).status).toBe(200);
  const opened = await fetch(`${status.url}/v1/spend-accounts`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'idempotency-key': `${service}-1`,
    },
    body: JSON.stringify({ currency: 'USD', creditLimit: '1000' }),
  });
  expect(opened.status).toBe(201);

  expect(await publishedFiles(page, service)).toEqual(
    await renderedFiles(template, answers),
  );
});
