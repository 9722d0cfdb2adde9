module.exports = require('@backstage/cli/config/eslint-factory')(__dirname, {
  rules: {
    // Decisions of the model are chains of conditions, formatted one per line.
    'no-nested-ternary': 'off',
  },
  overrides: [
    {
      // Names and expectations of these tests come from lists.
      files: ['suite/*.spec.ts', 'src/*.test.ts'],
      rules: {
        'jest/expect-expect': 'off',
        'jest/no-conditional-expect': 'off',
        'jest/no-disabled-tests': 'off',
        'jest/valid-title': 'off',
      },
    },
    {
      // generate.ts is not part of a package.
      files: ['src/contracts.test.ts'],
      rules: { '@backstage/no-relative-monorepo-imports': 'off' },
    },
  ],
});
