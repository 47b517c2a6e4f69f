import { describe, expect, it } from 'vitest';
import { checkShownAnew } from './check-shown-anew.js';

const SINCE = 1_700_000_000_000;
const check = (claims: object) => () => checkShownAnew({ name: 'Our company' }, claims, SINCE);

describe('who has to show anew who they are', () => {
  it('has done so since they were asked, but for what clocks differ by', () => {
    for (const at of [SINCE / 1000 + 30, SINCE / 1000, SINCE / 1000 - 59])
      expect(check({ auth_time: at })).not.toThrow();
    expect(check({ auth_time: SINCE / 1000 - 62 })).toThrow('Our company did not ask you to log in once more');
  });

  it('is believed to have where the provider tells no time', () => {
    for (const claims of [{}, { auth_time: null }]) expect(check(claims)).not.toThrow();
  });
});
