import type { FastifyReply, FastifyRequest } from 'fastify';
import { expect, it } from 'vitest';
import type { Accounts } from '#accounts/accounts';
import { type Account, NO_ACCOUNT } from '#accounts/decide/account';
import type { FormTokens } from '#http/browser/form-tokens';
import type { ServerName, UserId } from '#kernel/ids';
import { MemoryEventStore } from '#testing/memory-event-store';
import { KeptSignIns } from '../sign-ins.js';
import { Browsers } from './browsers.js';

const ALICE = '@alice:a.example' as UserId;
const clock = { now: () => 2_000 };
const upstream = { provider: 'one', shown_at: 1_000 };
const ended = (at: number): Partial<Account> => ({ upstreamEnds: [{ provider: 'one', at }] });

/** `states`: what is known of the account, one look after another; the last stays. */
function browsersOf(...states: readonly Partial<Account>[]): { browsers: Browsers; signIns: KeptSignIns } {
  let looks = 0;
  const load = async (): Promise<Account> => ({
    ...NO_ACCOUNT,
    exists: true,
    ...states[Math.min(looks++, states.length - 1)],
  });
  const signIns = new KeptSignIns(new MemoryEventStore(), clock, { add: () => {} });
  const config = { serverName: 'a.example' as ServerName, publicUrl: 'https://a.example' };
  const tokens = { fieldFor: () => '' } as unknown as FormTokens;
  return { browsers: new Browsers({ load } as unknown as Accounts, signIns, tokens, clock, config), signIns };
}

const cookies: string[] = [];
const reply = { header: (_: string, line: string) => cookies.push(line) } as unknown as FastifyReply;

it('a browser is not signed in by a log-in at a provider that has ended meanwhile, whichever of the two is written first', async () => {
  const { browsers, signIns } = browsersOf({}, ended(1_500));
  expect(await browsers.signIn(reply, { userId: ALICE, upstream }, 'r')).toBe(false);
  expect((await signIns.of(ALICE)).browsers.size).toBe(0);
  const before = browsersOf({}, ended(999));
  expect(await before.browsers.signIn(reply, { userId: ALICE, upstream }, 'r')).toBe(true);
  expect((await before.signIns.of(ALICE)).browsers.size).toBe(1);
});

it('a browser whose log-in at a provider has ended is signed in no more, though the server ended before it was signed out', async () => {
  const { browsers } = browsersOf({}, {}, {}, ended(1_500));
  expect(await browsers.signIn(reply, { userId: ALICE, upstream }, 'r')).toBe(true);
  const request = { headers: { cookie: cookies.at(-1)!.split(';')[0] } } as FastifyRequest;
  expect((await browsers.of(request, reply)).userId).toBe(ALICE);
  expect((await browsers.of(request, reply)).userId).toBeUndefined();
});

it('a browser is signed in no more once all sessions of its person have ended, and is again by another sign-in', async () => {
  const { browsers } = browsersOf({}, {}, {}, { loggedOutAt: 7 });
  const cookie = (): string => cookies.at(-1)!.split(';')[0]!;
  expect(await browsers.signIn(reply, { userId: ALICE }, 'r')).toBe(true);
  const before = { headers: { cookie: cookie() } } as FastifyRequest;
  expect((await browsers.of(before, reply)).userId).toBe(ALICE);
  expect((await browsers.of(before, reply)).userId).toBeUndefined();
  expect(await browsers.signIn(reply, { userId: ALICE }, 'r')).toBe(true);
  const after = { headers: { cookie: cookie() } } as FastifyRequest;
  expect((await browsers.of(after, reply)).userId).toBe(ALICE);
  expect((await browsers.of(before, reply)).userId).toBeUndefined();
});
