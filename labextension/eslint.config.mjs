import hooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['lib', 'node_modules', 'coverage', 'style', '*.mjs', '*.mts'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: { project: './tsconfig.test.json', tsconfigRootDir: import.meta.dirname }
    },
    plugins: { 'react-hooks': hooks },
    rules: {
      ...hooks.configs.recommended.rules,
      curly: 'error',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      // Template strings show numbers all over the place; that is what they are for.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // Interfaces, namespaces and void signals are how JupyterLab's and Lumino's own types are written.
      '@typescript-eslint/no-invalid-void-type': 'off',
      '@typescript-eslint/no-extraneous-class': 'off',
      // Lumino's signals take the method and its object apart.
      '@typescript-eslint/unbound-method': 'off'
    }
  }
);
