import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const ROOT = new URL('../../../', import.meta.url);
const textOf = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8');
const jsonOf = (path: string) => JSON.parse(textOf(path)) as Record<string, object>;
const libraries = readdirSync(new URL('libs/', ROOT)).toSorted();

/** What stands between `#` and `/*` in names of imports, but for the apps. */
const named = (imports: object): string[] =>
  Object.keys(imports)
    .map((name) => name.slice(1, -2))
    .filter((name) => !existsSync(new URL(`apps/${name}`, ROOT)))
    .toSorted();

test('each library has a README, and is named where libraries are listed: for who starts the server, for the linter, for the command line of Nest', () => {
  expect(libraries).toContain('federation');
  expect(libraries.filter((name) => !existsSync(new URL(`libs/${name}/README.md`, ROOT)))).toEqual([]);
  expect(named(jsonOf('package.json')['imports']!)).toEqual(libraries);
  const { paths } = jsonOf('tsconfig.lint.json')['compilerOptions'] as { paths: object };
  expect(named(paths)).toEqual(libraries);
  const projects = Object.entries(jsonOf('nest-cli.json')['projects']!) as [string, { type: string; root: string }][];
  const ofNest = projects.filter(([, { type }]) => type === 'library');
  expect(ofNest.map(([name]) => name).toSorted()).toEqual(libraries);
  expect(projects.filter(([, { root }]) => !existsSync(new URL(root, ROOT)))).toEqual([]);
  const layers = textOf('lint/imports-go-downwards.mjs');
  expect(libraries.filter((name) => !layers.includes(`'${name}'`))).toEqual([]);
});
