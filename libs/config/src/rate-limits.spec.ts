import { expect, it } from 'vitest';
import { loadConfig } from './config.js';
import { RATE_LIMITS } from './rate-limits.js';

it('the figures of some classes may be others: the burst, and how many a second where that is not as before', () => {
  const { rateLimitFigures } = loadConfig({}, 'rate_limit_figures: [send=200:40.5, login=20]\n');
  expect(rateLimitFigures).toEqual({
    ...RATE_LIMITS,
    send: { burst: 200, perSecond: 40.5 },
    login: { ...RATE_LIMITS.login, burst: 20 },
  });
});
