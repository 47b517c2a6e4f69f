import { expect, test } from 'vitest';
import type { DeviceId, UserId } from '#kernel/ids';
import { CountingEventStore } from '#testing/counting-event-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import type { Row } from '#read-models/read-model-store';
import type { Account } from './decide/account.js';
import { Accounts, BY_SERVER } from './accounts.js';
import { decidePasswordChange, decideRegistration } from './decide/decide-account.js';
import { decideAccountData, decideFilter } from './decide/decide-account-data.js';
import { decideLink, decideUnlink } from './decide/decide-external-ids.js';
import { decideProfileChange } from './decide/decide-profile.js';
import { decideLogin } from './decide/decide-sessions.js';
import { decideThreepid } from './decide/decide-threepids.js';
import { tailLeftOf } from './facts/erasable-parts.js';
import { externalIdHash } from './facts/external-id-facts.js';

const alice = '@alice:example.org' as UserId;
const ELSEWHERE = { provider: 'p', subject: 'alice at p' };
const SECRETS = ['hash of a password', 'Alice of the secret name', 'alice@secret.example', externalIdHash(ELSEWHERE)];

const setUp = () => {
  const store = new CountingEventStore();
  const readModels = new MemoryReadModels();
  /** The accounts of a process that knows nothing yet. */
  const cold = (): Accounts => new Accounts(store, { now: () => 1 }, { whenProcessed: async () => {} }, readModels);
  return { store, readModels, cold };
};

/** An account with so many facts, of which most tell nothing that anybody decides upon. */
async function live(accounts: Accounts, length: number): Promise<void> {
  await accounts.change(alice, (one) => decideRegistration(one, { userId: alice, via: 'open' }), BY_SERVER);
  const decisions = [
    (account: Account) => decidePasswordChange(account, { passwordHash: SECRETS[0]!, logoutDevices: false }),
    (account: Account) => decideProfileChange(account, 'displayname', SECRETS[1]),
    (account: Account) => decideLogin(account, { device_id: 'D' as DeviceId, token_hash: 'at' }),
    (account: Account) => decideThreepid(account, { medium: 'email', address: SECRETS[2]! }, 1, 2),
    (account: Account) => decideLink(account, ELSEWHERE),
    (account: Account) => decideFilter(account, 'f', {}),
  ];
  for (const decide of decisions) await accounts.change(alice, decide, BY_SERVER);
  const many = (account: Account) =>
    Array.from({ length }, (_, n) => decideAccountData(account, undefined, 'x', { n })).flat();
  await accounts.change(alice, many, BY_SERVER);
}

test('the account of a user with many facts costs few reads in a process that does not know it yet', async () => {
  const { store, readModels, cold } = setUp();
  await live(cold(), 1_000);
  const whole = await new Accounts(store, { now: () => 1 }, { whenProcessed: async () => {} }).load(alice);
  const accounts = cold();
  expect(await store.countFacts(() => accounts.load(alice))).toBeLessThan(10);
  expect(await accounts.load(alice)).toEqual(whole);
  expect([whole.threepids.size, whole.externalIds]).toEqual([1, [expect.objectContaining({ provider: 'p' })]]);
  expect(whole).toMatchObject({ passwordHash: SECRETS[0], profile: new Map([['displayname', expect.anything()]]) });
  const [{ value: kept }] = (await readModels.scan('stream-snapshots', { limit: 10 })) as [Row];
  expect(kept).toContain('"D"');
  for (const secret of SECRETS) expect(kept).not.toContain(secret);
});

test('what was erased from the log is in no account that is made from a snapshot', async () => {
  const { store, cold } = setUp();
  await live(cold(), 300);
  const unlink = (account: Account) => decideUnlink(account, externalIdHash(ELSEWHERE));
  await cold().change(alice, unlink, BY_SERVER);
  const named = store.facts.find(({ type }) => type === 'profile-changed')!;
  await store.erase(named.stream, named.revision, tailLeftOf(named.type)!);
  const added = store.facts.find(({ type }) => type === 'threepid-added')!;
  await store.erase(added.stream, added.revision, tailLeftOf(added.type)!);
  const { provider } = ELSEWHERE;
  expect(JSON.parse(store.facts.at(-1)!.data)).toEqual({ provider, id_hash: SECRETS[3], salt: expect.any(String) });
  for (const { type, stream, revision } of store.facts.filter((fact) => fact.type.startsWith('external-id-'))) {
    await store.erase(stream, revision, tailLeftOf(type)!);
    // Whether what says that it was unlinked is erased by then or not.
    expect((await cold().load(alice)).externalIds).toBeUndefined();
  }
  expect(await cold().load(alice)).toMatchObject({ profile: new Map(), threepids: new Map(), unlinkedFrom: ['p'] });
  expect(await cold().change(alice, (account) => decideLink(account, ELSEWHERE), BY_SERVER)).toMatchObject({
    changed: true,
  });
});
