/** Runs the suite against a service. The tests of the suite itself run with `yarn test`. */
module.exports = {
  rootDir: __dirname,
  roots: ['<rootDir>/suite'],
  testMatch: ['**/*.spec.ts'],
  testEnvironment: 'node',
  transform: {
    '\\.ts$': [
      '@swc/jest',
      {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2023' },
        module: { type: 'commonjs' },
      },
    ],
  },
};
