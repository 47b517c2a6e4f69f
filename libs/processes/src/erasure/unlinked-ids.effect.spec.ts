import { expect, test, vi } from 'vitest';
import { Accounts } from '#accounts/accounts';
import { decideLink, decideUnlink } from '#accounts/decide/decide-external-ids';
import { ExternalIds } from '#accounts/external-ids';
import { externalIdHash, externalIdStream } from '#accounts/facts/external-id-facts';
import type { RecordedFact } from '#event-store/event-store';
import type { UserId } from '#kernel/ids';
import { START } from '#kernel/position';
import { systemClock } from '#kernel/clock';
import { userStream } from '#kernel/user-stream';
import { MemoryEventStore } from '#testing/memory-event-store';
import { TEST_NAMES } from '#testing/test-names';
import { UnlinkedIds } from './unlinked-ids.effect.js';

const [ALICE, BOB] = ['@alice:a.example' as UserId, '@bob:a.example' as UserId];
const CAUSE = { actor: 'server' };
const ID = { provider: 'corp', subject: 'alice@corp.example' };

async function textOf(store: MemoryEventStore, stream: string): Promise<string> {
  let text = '';
  for await (const fact of store.readStream(stream)) text += JSON.stringify([fact.data, fact.metadata]);
  return text;
}

/** Two have accounts, and nobody has one elsewhere. */
async function start() {
  const store = new MemoryEventStore();
  const views = {
    whenProcessed: async () => {},
    confirm: async () => {},
    get: async () => undefined,
    position: () => START,
  };
  const accounts = new Accounts(store, systemClock, views);
  const ids = new ExternalIds(store, systemClock, {}, accounts, TEST_NAMES, views);
  const waitedWith: string[] = [];
  const whenKept = async (): Promise<void> => void waitedWith.push(await textOf(store, userStream(ALICE)));
  const effect = new UnlinkedIds(store, accounts, ids, { whenKept });
  const runAll = async (): Promise<void> => {
    for (const fact of store.facts.filter((one: RecordedFact) => effect.keyOf(one) !== undefined))
      await effect.run(fact);
  };
  for (const userId of [ALICE, BOB]) {
    await accounts.change(
      userId,
      () => [{ type: 'account-registered', data: { user_id: userId, kind: 'user', via: 'open' } }],
      CAUSE,
    );
  }
  return { store, accounts, ids, waitedWith, runAll };
}

test('whose an account elsewhere was nobody reads in the log once it is unlinked, and it may be somebody else’s', async () => {
  const { store, accounts, ids, waitedWith, runAll } = await start();
  await ids.link(ID, ALICE, CAUSE);
  expect(await ids.find(ID)).toBe(ALICE);
  // As they do it themself, of whom the log says that.
  const own = { actor: ALICE, device: 'HERS' };
  await accounts.change(ALICE, (account) => decideUnlink(account, externalIdHash(ID)), own);
  await runAll();
  // Views that have not come to the end would not know of what it is one once that is erased.
  expect(waitedWith).toEqual([expect.stringContaining(externalIdHash(ID))]);
  // What begins to be filled meanwhile, for which nobody waits, does not come to have it.
  expect(waitedWith[0]).not.toContain(ID.subject);
  expect(await ids.find(ID)).toBeUndefined();
  const ofUser = await textOf(store, userStream(ALICE));
  expect(ofUser).not.toContain(ID.subject);
  expect(ofUser).not.toContain(externalIdHash(ID));
  const ofId = await textOf(store, externalIdStream(TEST_NAMES, externalIdHash(ID)));
  expect([ofId === '', ofId.includes(ALICE), ofId.includes('HERS')]).toEqual([false, false, false]);
  // Nor is it in a name, which nothing can take out of the log.
  expect(store.facts.filter(({ stream }) => stream.includes(externalIdHash(ID)))).toEqual([]);
  await ids.link(ID, BOB, CAUSE);
  expect(await ids.find(ID)).toBe(BOB);
  await runAll();
  expect(await ids.find(ID)).toBe(BOB);
});

test('who links an account elsewhere again before the log forgets that they unlinked it keeps it', async () => {
  const { accounts, ids, runAll } = await start();
  await ids.link(ID, ALICE, CAUSE);
  await accounts.change(ALICE, (account) => decideUnlink(account, externalIdHash(ID)), CAUSE);
  // They have claimed it, and do not have it yet.
  await ids.claim(ID, ALICE, CAUSE);
  await runAll();
  await accounts.change(ALICE, (account) => decideLink(account, ID), CAUSE);
  expect(await ids.find(ID)).toBe(ALICE);
  await expect(ids.claim(ID, BOB, CAUSE)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
});

test('who links an account elsewhere twice at once, and unlinks it after the first, has it of the second, and nobody else has', async () => {
  const { accounts, ids, runAll } = await start();
  const change = accounts.change.bind(accounts);
  vi.spyOn(accounts, 'change').mockImplementationOnce(async (...args) => {
    await ids.link(ID, ALICE, CAUSE);
    await accounts.change(ALICE, (account) => decideUnlink(account, externalIdHash(ID)), CAUSE);
    await runAll();
    return change(...args);
  });
  await ids.link(ID, ALICE, CAUSE);
  expect(await ids.find(ID)).toBe(ALICE);
  await expect(ids.claim(ID, BOB, CAUSE)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
});

test('another process, which knew whose an account elsewhere was, knows that it is that no more once the log has forgotten it', async () => {
  const { store, accounts, ids, runAll } = await start();
  await ids.link(ID, ALICE, CAUSE);
  const elsewhere = new Accounts(store, systemClock, { whenProcessed: async () => {} });
  expect((await elsewhere.load(ALICE)).externalIds).toHaveLength(1);
  await accounts.change(ALICE, (account) => decideUnlink(account, externalIdHash(ID)), CAUSE);
  await runAll();
  const { externalIds, unlinkedFrom } = await elsewhere.load(ALICE);
  expect([externalIds, unlinkedFrom]).toEqual([undefined, [ID.provider]]);
});
