import { defineConfig } from '@playwright/test';

/**
 * The portal is started by `./rocket test e2e`, which says where it is by
 * PLAYWRIGHT_URL; against a running `./rocket start` use
 * `PLAYWRIGHT_URL=http://localhost:7007 ./rocket yarn playwright test`.
 */
export default defineConfig({
  testDir: 'e2e-tests',
  testMatch: '**/*.test.ts',
  // A scaffold installs the service's packages, which takes minutes on a machine that does other things as well.
  timeout: 480_000,
  expect: { timeout: 30_000 },
  // One portal, one story: the tests build on each other's traffic.
  workers: 1,
  retries: 0,
  forbidOnly: Boolean(process.env.CI),
  reporter: [
    ['list'],
    [
      'json',
      {
        outputFile:
          process.env.PLAYWRIGHT_JSON_OUTPUT_NAME ??
          '.rocket/test/playwright.json',
      },
    ],
  ],
  outputDir: 'e2e-artifacts/results',
  use: {
    baseURL: process.env.PLAYWRIGHT_URL ?? 'http://localhost:7007',
    actionTimeout: 20_000,
    screenshot: 'only-on-failure',
    trace: 'retain-on-failure',
    viewport: { width: 1440, height: 900 },
    launchOptions: {
      executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
});
