import { expect, test } from 'vitest';
import type { UserId } from '#kernel/ids';
import { Accounts, BY_SERVER } from '#accounts/accounts';
import { decideRegistration } from '#accounts/decide/decide-account';
import { decideThreepid, decideThreepidRemoval } from '#accounts/decide/decide-threepids';
import { MemoryEventStore } from '#testing/memory-event-store';
import { RemovedThreepids } from './removed-threepids.effect.js';

const ALICE = '@alice:example.org' as UserId;
const mail = (address: string) => ({ medium: 'email', address }) as const;

test('an address that was removed is in the log no more, and one that was not, or came back, stays', async () => {
  const store = new MemoryEventStore();
  const accounts = new Accounts(store, { now: () => 1 }, { whenProcessed: async () => {} });
  const change = (decide: Parameters<Accounts['change']>[1]) => accounts.change(ALICE, decide, BY_SERVER);
  await change((account) => decideRegistration(account, { userId: ALICE, via: 'open' }));
  for (const name of ['old@mail.example', 'kept@mail.example', 'back@mail.example'])
    await change((account) => decideThreepid(account, mail(name), 1, 2));
  for (const name of ['old@mail.example', 'back@mail.example'])
    await change((account) => decideThreepidRemoval(account, mail(name)));
  await change((account) => decideThreepid(account, mail('back@mail.example'), 3, 4));
  const effect = new RemovedThreepids(store);
  for (const fact of store.facts.filter((one) => effect.keyOf(one) !== undefined)) {
    expect(await effect.run(fact)).toBe(true);
  }
  const text = JSON.stringify(store.facts);
  expect(text).not.toContain('old@mail.example');
  expect(text.split('back@mail.example')).toHaveLength(2);
  const { threepids } = await new Accounts(store, { now: () => 1 }, { whenProcessed: async () => {} }).load(ALICE);
  expect([...threepids.values()].map(({ address }) => address)).toEqual(['kept@mail.example', 'back@mail.example']);
  for (const fact of store.facts.filter((one) => effect.keyOf(one) !== undefined)) {
    expect(await effect.run(fact)).toBe(false);
  }
});
