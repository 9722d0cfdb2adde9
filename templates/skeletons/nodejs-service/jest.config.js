/** Real PostgreSQL, no Docker: TEST_DATABASE_URL or DATABASE_URL (a role that may create databases), else an embedded one. */
export default {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2024' }, module: { type: 'es6' }, sourceMaps: 'inline' },
    ],
  },
  globalSetup: '<rootDir>/test/support/setup.ts',
  globalTeardown: '<rootDir>/test/support/teardown.ts',
  testTimeout: 60_000,
  coverageProvider: 'v8',
  // main.ts and telemetry.ts run in processes of their own (test/process.test.ts), where coverage is not taken.
  collectCoverageFrom: ['src/**/*.ts', '!src/platform/main.ts', '!src/platform/telemetry.ts'],
  coverageThreshold: { global: { statements: 90, branches: 90, functions: 90, lines: 90 } },
  coverageReporters: ['text-summary', 'lcov', 'cobertura'],
  reporters: ['default', ['<rootDir>/test/support/junit.ts', { file: 'coverage/junit.xml', name: 'integration' }]],
};
