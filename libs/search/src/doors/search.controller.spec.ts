import { expect, it } from 'vitest';
import { LogHistory } from '#event-store/log-history';
import { systemClock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import { START } from '#kernel/position';
import type { Requester } from '#kernel/requester';
import type { Views } from '#projections/views';
import { generateSigningKey } from '#protocol/signing/signing-key';
import { SealedPlaces } from '../queries/sealed-places.js';
import { MOST_AT_ONCE, SearchTurns } from '../queries/search-turns.js';
import { SearchController } from './search.controller.js';

it('searches once at a time for each user, and refuses who asks for more while too many wait', async () => {
  let begun = 0;
  let fail: (error: Error) => void = () => {};
  const held = new Promise<never>((_, reject) => (fail = reject));
  const views = {
    history: LogHistory.UNBROKEN,
    position: () => START,
    get: () => {
      begun++;
      return held;
    },
  } as unknown as Views;
  const places = new SealedPlaces(generateSigningKey(), views);
  const controller = new SearchController(views, systemClock, places, new SearchTurns());
  const body = { search_categories: { room_events: { search_term: 'anything' } } };
  const search = (userId: string): Promise<unknown> =>
    controller.search({ userId: userId as UserId, deviceId: 'D' } as Requester, {}, body);

  const asked = Array.from({ length: MOST_AT_ONCE }, () => search('@alice:a.example'));
  await expect(search('@alice:a.example')).rejects.toMatchObject({ errcode: 'M_LIMIT_EXCEEDED' });
  expect(begun).toBe(1);
  asked.push(search('@bob:a.example'));
  expect(begun).toBe(2);

  fail(new Error('no views'));
  const answers = await Promise.allSettled(asked);
  expect(answers.map(({ status }) => status)).toEqual(asked.map(() => 'rejected'));
  expect(begun).toBe(MOST_AT_ONCE + 1);
  await expect(search('@alice:a.example')).rejects.toThrow('no views');
});
