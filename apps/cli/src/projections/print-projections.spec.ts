import { expect, it } from 'vitest';
import { comparisonText } from './print-projections.js';

const found = { generation: 2, replaced: 1, rows: 1_028, differences: 0, examples: [] };

it('what a rebuild and what it replaced have in common is told in words', () => {
  expect(comparisonText(found)).toBe('generation 2 against 1: 1,028 rows, all the same');
  expect(comparisonText({ ...found, differences: 1, examples: [['accounts', '@eve:a.example']] })).toBe(
    'generation 2 against 1: 1 of 1,028 rows differ, such as accounts @eve:a.example',
  );
  expect(comparisonText({ ...found, forgotten: 974 })).toBe(
    'generation 2 against 1: 974 of 1,028 rows differ, for they tell of what is gone from the log since',
  );
});
