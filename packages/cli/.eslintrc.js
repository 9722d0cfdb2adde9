module.exports = require('@backstage/cli/config/eslint-factory')(__dirname, {
  rules: {
    // What it needs becomes part of the one file that is published, so it has no dependencies.
    '@backstage/no-undeclared-imports': 'off',
  },
});
