import { expect, it } from 'vitest';
import { AuthNotes } from '#accounts/interactive-auth/auth-notes';
import { MemoryEventStore } from '#testing/memory-event-store';
import { EarlyLogouts } from './early-logouts.js';

it('of a session that nobody is known by are noted, the last one counts, and later the session may show who somebody is again', async () => {
  let now = 1_000_000;
  const clock = { now: () => now };
  const early = new EarlyLogouts(new AuthNotes(new MemoryEventStore(), clock), clock);
  const have = (sidHash: string, shownAt: number): Promise<boolean> =>
    early.have({ provider: 'one', sid_hash: sidHash, shown_at: shownAt }, 'an account');
  await early.noteSession('one', 'a session');
  const first = now;
  expect([await have('a session', first - 1), await have('a session', first + 60_000)]).toEqual([true, true]);
  // It was ended here alone, and goes on there.
  expect([await have('a session', first + 60_001), await have('another', first - 1)]).toEqual([false, false]);
  now += 10 * 60_000;
  await early.noteSession('one', 'a session');
  expect([await have('a session', first + 60_001), await have('a session', now + 60_001)]).toEqual([true, false]);
});
