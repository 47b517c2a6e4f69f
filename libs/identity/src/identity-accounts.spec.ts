import { expect, it } from 'vitest';
import type { Accounts } from '#accounts/accounts';
import { loadConfig } from '#config/config';
import type { UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { MemoryEventStore } from '#testing/memory-event-store';
import type { OpenIdUser } from './homeservers.js';
import { IdentityAccounts } from './identity-accounts.js';
import { IDENTITY_TOKENS } from './projections/identity.projector.js';

const ALICE = '@alice:a.example' as UserId;

it('lets go of what is over once no view has a token any more that has ended: nothing that is left would say so', async () => {
  const store = new MemoryEventStore();
  const asked: unknown[] = [];
  let keep = (): void => {};
  const kept = new Promise<void>((resolve) => (keep = resolve));
  const views = { whenProcessed: async () => {}, whenKept: (...args: unknown[]) => (asked.push(args), kept) };
  const accounts = new IdentityAccounts(
    store,
    { now: () => 1 },
    views as unknown as Views,
    loadConfig({}),
    {} as Accounts,
  );
  for (const _ of ['one', 'two']) await accounts.issueToken({ userId: ALICE } as OpenIdUser);
  const ended = (): number => store.facts.filter(({ type }) => type === 'identity-token-ended').length;
  expect(await accounts.end(ALICE)).toBe(true);
  const { position } = store.facts.at(-1)!;
  const forgetting = accounts.forgetEnded(ALICE);
  // Nobody who writes waits for it.
  await accounts.issueToken({ userId: ALICE } as OpenIdUser);
  expect([asked, ended()]).toEqual([[[position, [IDENTITY_TOKENS.name]]], 3]);
  keep();
  await forgetting;
  expect(ended()).toBe(1);
  expect(await accounts.end(ALICE)).toBe(true);
  expect(await accounts.end(ALICE)).toBe(false);
});
