import { expect, it } from 'vitest';
import type { Accounts } from '#accounts/accounts';
import { loadConfig } from '#config/config';
import type { RecordedFact } from '#event-store/event-store';
import type { Associations } from '#identity/associations/associations';
import { ASSOCIATIONS } from '#identity/projections/identity.projector';
import type { OpenIdUser } from '#identity/homeservers';
import { IdentityAccounts } from '#identity/identity-accounts';
import type { UserId } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import type { Views } from '#projections/views';
import { MemoryEventStore } from '#testing/memory-event-store';
import { EndedIdentityAccounts } from './ended-identity-accounts.effect.js';

const NONE = { endAll: async () => false } as unknown as Associations;
const STANDS = async (): Promise<boolean> => true;
const [ALICE, BOB] = ['@alice:a.example' as UserId, '@bob:b.example' as UserId];
const PUBLISHED = { user_id: ALICE, usage: ['master'], keys: { 'ed25519:k': 'k' } } as const;

it('what somebody said to this identity server goes from the log once their account is closed, and that their tokens ended once no view needs it, whether that was before or not', async () => {
  for (const isEndedBefore of [true, false]) {
    const store = new MemoryEventStore();
    let keep = (): void => {};
    const kept = new Promise<void>((resolve) => (keep = resolve));
    const views = {
      whenProcessed: async () => {},
      whenKept: () => kept,
      whenMoved: () => store.head(),
    } as unknown as Views;
    const accounts = new IdentityAccounts(store, { now: () => 1 }, views, loadConfig({}), {} as Accounts);
    await accounts.setReaders(ALICE, [BOB]);
    await accounts.issueToken({ userId: ALICE } as OpenIdUser);
    await accounts.publishKey(ALICE, PUBLISHED);
    const effect = new EndedIdentityAccounts(accounts, NONE, views);
    const closed = { ...store.facts[0]!, type: 'account-deactivated', stream: `user-${ALICE}` };
    expect([effect.keyOf(closed), effect.keyOf(store.facts[0]!)]).toEqual([`user-${ALICE}`, undefined]);
    if (isEndedBefore) await accounts.end(ALICE);
    const run = effect.run(closed, STANDS);
    expect(await Promise.race([run, new Promise((resolve) => setTimeout(resolve, 20, 'waits'))])).toBe('waits');
    const ends = (): string[] => store.facts.map(({ type }) => type).filter((type) => type.includes('token'));
    expect([JSON.stringify(store.facts).includes(BOB), ends()]).toEqual([false, ['identity-token-ended']]);
    keep();
    expect(await run).toBe(!isEndedBefore);
    const left = store.facts.map(({ type, data }) => `${type} ${data}`);
    expect(left).toEqual(['identity-key-published {"master_key":null}', 'identity-readers-set {"readers":[]}']);
    expect(await effect.run(closed, STANDS)).toBe(false);
  }
});

it('addresses that are somebody’s by this identity server are so no more once their account is closed, all that were by then: views that are paused tell of some alone', async () => {
  const said: string[] = [];
  const moves: ((to: Position) => void)[] = [];
  const views = {
    whenMoved: (from: Position, [name]: readonly string[]) => {
      said.push(`${name} behind ${from}`);
      return new Promise<Position>((resolve) => moves.push(resolve));
    },
  } as unknown as Views;
  const accounts = {
    end: async () => said.push('tokens') === 0,
    forgetEnded: async () => void said.push('forgotten'),
  } as unknown as IdentityAccounts;
  const own = { endAll: async (userId: UserId) => said.push(`all of ${userId}`) > 0 } as unknown as Associations;
  const [paused, closedAt] = ['0000000000000000004', '0000000000000000007'] as Position[];
  const closing = { stream: `user-${ALICE}`, position: closedAt! } as RecordedFact;
  const effect = new EndedIdentityAccounts(accounts, own, views);
  const run = effect.run(closing, STANDS);
  const behind = (at: Position): string => `${ASSOCIATIONS.name} behind ${at}`;
  await expect.poll(() => said).toEqual(['tokens', behind(START)]);
  moves.shift()!(paused!);
  await expect.poll(() => said).toEqual(['tokens', behind(START), behind(paused!)]);
  moves.shift()!(closedAt!);
  expect(await run).toBe(true);
  expect(said.slice(3)).toEqual([`all of ${ALICE}`, 'forgotten']);

  // Nothing of what they have since where the account is open again before the views tell.
  let isClosed = true;
  said.length = 0;
  const late = effect.run(closing, async () => isClosed);
  await expect.poll(() => said).toEqual(['tokens', behind(START)]);
  isClosed = false;
  moves.shift()!(closedAt!);
  expect(await late).toBe(false);
  expect(said).toHaveLength(2);
});
