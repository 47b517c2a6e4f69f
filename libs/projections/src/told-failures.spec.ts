import { expect, it } from 'vitest';
import { RETRY_MS, silentLog } from './runtime-parts.js';
import { ToldFailures } from './told-failures.js';

it('waits longer after each failure in a row, and no longer than at first where it has gone well since', () => {
  const failures = new ToldFailures(silentLog, 'Somebody');
  const wrong = new Error('no such row');
  for (let i = 0; i < 5; i++) failures.note(wrong);
  expect(failures.note(wrong)).toBeGreaterThan(2 * RETRY_MS);
  failures.end();
  expect(failures.told).toBeUndefined();
  expect(failures.note(wrong)).toBeLessThanOrEqual(RETRY_MS);
});
