import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { PREFIX } from './check-settings.js';
import { emptySettings } from './settings.js';

const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
/** The rows of the table: which variables each is of, and what it says of them. */
const rows = [...readme.matchAll(/^\| (`ANNALS_[^|]*?) *\| (.*?) *\|$/gm)].map(([, names, says]) => ({
  names: [...names!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!),
  says: says!,
}));
const settings = new Map(emptySettings().flatMap((one) => Object.entries(one)));
const keyOf = (name: string): string => name.slice(PREFIX.length).toLowerCase();

test('the README names every setting once, and no other', () => {
  expect(rows.flatMap(({ names }) => names).toSorted()).toEqual(
    [...settings.keys()].map((key) => `${PREFIX}${key.toUpperCase()}`).toSorted(),
  );
});

test('the README says of every setting what it is where nobody sets it', () => {
  const untold = rows.flatMap(({ names, says }) =>
    names.filter((name) => {
      const value: unknown = settings.get(keyOf(name));
      return (
        value !== undefined && !says.includes(`\`${String(value)}\``) && !(value === 'off' && /\boff\b/.test(says))
      );
    }),
  );
  expect(untold).toEqual([]);
});
