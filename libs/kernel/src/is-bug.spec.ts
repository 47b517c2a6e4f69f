import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { isBug } from './is-bug.js';

function thrownBy(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}

it('tells a mistake of ours from what goes wrong around us', () => {
  expect(isBug(thrownBy(() => (undefined as unknown as { key: string }).key))).toBe(true);
  expect(isBug(thrownBy(() => 'x'.repeat(-1)))).toBe(true);
  expect(isBug('thrown as it is')).toBe(true);
  expect(isBug(thrownBy(() => readFileSync('/nowhere/at/all')))).toBe(false);
  expect(isBug(new Error('another process writes there'))).toBe(false);
});
