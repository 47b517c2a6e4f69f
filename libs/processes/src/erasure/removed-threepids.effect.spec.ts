import { expect, test } from 'vitest';
import type { UserId } from '#kernel/ids';
import { START } from '#kernel/position';
import { Accounts, BY_SERVER } from '#accounts/accounts';
import { decideRegistration } from '#accounts/decide/decide-account';
import { decideThreepid, decideThreepidRemoval } from '#accounts/decide/decide-threepids';
import { threepidStream } from '#accounts/facts/threepid-facts';
import { ThreepidClaims } from '#accounts/threepids/threepid-claims';
import { MemoryEventStore } from '#testing/memory-event-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import { TEST_NAMES } from '#testing/test-names';
import { RemovedThreepids } from './removed-threepids.effect.js';

const ALICE = '@alice:example.org' as UserId;
const KEPT = { whenKept: async () => {} };
const mail = (address: string) => ({ medium: 'email', address }) as const;

test('an address that was removed is in the log no more, and one that was not, or came back, stays', async () => {
  const store = new MemoryEventStore();
  const accounts = new Accounts(store, { now: () => 1 }, { whenProcessed: async () => {} });
  const change = (decide: Parameters<Accounts['change']>[1]) => accounts.change(ALICE, decide, BY_SERVER);
  await change((account) => decideRegistration(account, { userId: ALICE, via: 'open' }));
  for (const name of ['old@mail.example', 'kept@mail.example', 'back@mail.example'])
    await change((account) => decideThreepid(account, mail(name), 1, 2));
  // Another process, that has it in mind.
  const elsewhere = new Accounts(store, { now: () => 1 }, { whenProcessed: async () => {} });
  expect((await elsewhere.load(ALICE)).threepids.size).toBe(3);
  for (const name of ['old@mail.example', 'back@mail.example'])
    await change((account) => decideThreepidRemoval(account, mail(name)));
  await change((account) => decideThreepid(account, mail('back@mail.example'), 3, 4));
  const effect = new RemovedThreepids(store, KEPT);
  for (const fact of store.facts.filter((one) => effect.keyOf(one) !== undefined)) {
    expect(await effect.run(fact)).toBe(true);
  }
  const text = JSON.stringify(store.facts);
  expect(text).not.toContain('old@mail.example');
  expect(text.split('back@mail.example')).toHaveLength(2);
  const anew = new Accounts(store, { now: () => 1 }, { whenProcessed: async () => {} });
  for (const { threepids } of [await anew.load(ALICE), await elsewhere.load(ALICE)])
    expect([...threepids.values()].map(({ address }) => address)).toEqual(['kept@mail.example', 'back@mail.example']);
  for (const fact of store.facts.filter((one) => effect.keyOf(one) !== undefined)) {
    expect(await effect.run(fact)).toBe(false);
  }
});

test('whose an address was that is free again nobody reads in the log, and it may be somebody else’s', async () => {
  const store = new MemoryEventStore();
  const clock = { now: () => 1, elapsed: () => 1 };
  const accounts = new Accounts(store, clock, { whenProcessed: async () => {} });
  const claims = new ThreepidClaims(
    store,
    clock,
    { eventStoreUrl: undefined },
    accounts,
    TEST_NAMES,
    Object.assign(new MemoryReadModels(), { whenProcessed: async () => {}, position: () => START }),
  );
  const [address, effect] = [mail('a@mail.example'), new RemovedThreepids(store, KEPT)];
  await claims.release(address, ALICE, (await claims.claim(address, ALICE))!);
  const textOf = async (): Promise<string> => {
    let text = '';
    for await (const fact of store.readStream(threepidStream(TEST_NAMES, address))) text += JSON.stringify(fact);
    return text;
  };
  expect(await textOf()).toContain(ALICE);
  for (const fact of store.facts.filter((one) => effect.keyOf(one) !== undefined)) await effect.run(fact);
  expect(await textOf()).not.toContain(ALICE);
  await claims.claim(address, '@bob:example.org' as UserId);
  expect(await textOf()).toContain('@bob:example.org');
});

test('an address that was removed is in the log until no view can come to a removal that no longer says of what', async () => {
  const store = new MemoryEventStore();
  const accounts = new Accounts(store, { now: () => 1 }, { whenProcessed: async () => {} });
  const change = (decide: Parameters<Accounts['change']>[1]) => accounts.change(ALICE, decide, BY_SERVER);
  await change((account) => decideRegistration(account, { userId: ALICE, via: 'open' }));
  await change((account) => decideThreepid(account, mail('old@mail.example'), 1, 2));
  await change((account) => decideThreepidRemoval(account, mail('old@mail.example')));
  const asked: unknown[] = [];
  let keep = (): void => {};
  const kept = new Promise<void>((resolve) => (keep = resolve));
  const effect = new RemovedThreepids(store, { whenKept: (...args) => (asked.push(args), kept) });
  const removal = store.facts.at(-1)!;
  const running = effect.run(removal);
  await expect.poll(() => asked).toEqual([[removal.position, ['threepids']]]);
  // What begins to be filled meanwhile, for which nobody waits, does not come to have it.
  const saying = store.facts.filter(({ data }) => data.includes('old@mail.example'));
  expect(saying.map(({ type }) => type)).toEqual(['threepid-removed']);
  keep();
  await running;
  expect(JSON.stringify(store.facts)).not.toContain('old@mail.example');
});
