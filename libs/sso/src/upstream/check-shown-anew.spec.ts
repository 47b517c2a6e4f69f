import { describe, expect, it } from 'vitest';
import { checkShownAnew } from './check-shown-anew.js';

const SINCE = 1_700_000_000_000;
const check =
  (claims: object, tellsAuthTime = true) =>
  () =>
    checkShownAnew({ name: 'Our company', tellsAuthTime }, claims, SINCE);

describe('who has to show anew who they are', () => {
  it('has done so since they were asked, but for what clocks differ by', () => {
    for (const tells of [true, false]) {
      for (const at of [SINCE / 1000 + 30, SINCE / 1000, SINCE / 1000 - 59])
        expect(check({ auth_time: at }, tells)).not.toThrow();
      expect(check({ auth_time: SINCE / 1000 - 62 }, tells)).toThrow('Our company did not ask you to log in once more');
    }
  });

  it('has not where the provider tells no time, unless the operator knows that it never does', () => {
    for (const claims of [{}, { auth_time: null }, { auth_time: String(SINCE / 1000) }]) {
      expect(check(claims)).toThrow(expect.objectContaining({ errcode: 'M_FORBIDDEN' }));
      expect(check(claims, false)).not.toThrow();
    }
  });
});
