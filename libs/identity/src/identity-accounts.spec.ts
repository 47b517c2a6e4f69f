import { expect, it } from 'vitest';
import type { Accounts } from '#accounts/accounts';
import { loadConfig } from '#config/config';
import { hashSecret } from '#accounts/credentials/secrets';
import type { UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { ForgetfulEventStore } from '#testing/forgetful-event-store';
import { MemoryEventStore } from '#testing/memory-event-store';
import type { OpenIdUser } from './homeservers.js';
import { IdentityAccounts } from './identity-accounts.js';
import { IDENTITY_TOKENS, identityProjector } from './projections/identity.projector.js';

const ALICE = '@alice:a.example' as UserId;

function accountsOver(store: MemoryEventStore, whenKept: Views['whenKept']): IdentityAccounts {
  const views = { whenProcessed: async () => {}, whenKept } as unknown as Views;
  return new IdentityAccounts(store, { now: () => 1 }, views, loadConfig({}), {} as Accounts);
}
const USER = { userId: ALICE } as OpenIdUser;

it('lets go of what is over once no view has a token any more that has ended: nothing that is left would say so', async () => {
  const store = new MemoryEventStore();
  const asked: unknown[] = [];
  let keep = (): void => {};
  const kept = new Promise<void>((resolve) => (keep = resolve));
  const accounts = accountsOver(store, (...args) => (asked.push(args), kept));
  for (const _ of ['one', 'two', 'three']) await accounts.issueToken(USER);
  const numberOf = (of: string): number => store.facts.filter(({ type }) => type === `identity-token-${of}`).length;
  expect(await accounts.end(ALICE)).toBe(true);
  const forgetting = accounts.forgetEnded(ALICE);
  // Nobody who writes waits for it.
  await accounts.issueToken(USER);
  const { position } = store.facts.at(-2)!;
  expect(asked).toEqual([[position, [IDENTITY_TOKENS.name]]]);
  // What they had been has gone by then: who begins to read finds nothing that only these would take away.
  expect([numberOf('issued'), numberOf('ended')]).toEqual([1, 3]);
  keep();
  await forgetting;
  expect([numberOf('issued'), numberOf('ended')]).toEqual([1, 1]);
  expect(await accounts.end(ALICE)).toBe(true);
  expect(await accounts.end(ALICE)).toBe(false);
});

it('leaves no ended token in a view, wherever that stands while they go from the log', async () => {
  const store = new ForgetfulEventStore();
  const accounts = accountsOver(store, async () => {});
  const tokens: string[] = [];
  for (let n = 0; n < 6; n++) tokens.push(await accounts.issueToken(USER));
  for (const n of [0, 3, 4]) await accounts.endToken(ALICE, tokens[n]!);
  await accounts.setReaders(ALICE, []);
  await accounts.forgetEnded(ALICE);
  const [rows, ...others] = await store.rowsWhileForgetting(identityProjector);
  expect(others).toEqual([]);
  expect(Object.keys(JSON.parse(rows!) as object).toSorted()).toEqual(
    [...[1, 2, 5].map((n) => `identity-tokens ${hashSecret(tokens[n]!)}`), `identity-people ${ALICE}`].toSorted(),
  );
});
