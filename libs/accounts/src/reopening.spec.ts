import { expect, test } from 'vitest';
import type { UserId } from '#kernel/ids';
import type { StateOfFact } from '#projections/effects/what-follows';
import { MemoryEventStore } from '#testing/memory-event-store';
import { Accounts, BY_SERVER } from './accounts.js';
import { decideDeactivation, decideRegistration } from './decide/decide-account.js';
import { Reopening } from './reopening.js';

const ALICE = '@alice:example.org' as UserId;

/** Opens an account again of whose closing this follows, one after the other as it is asked for. */
async function prepare(...states: StateOfFact[]): Promise<void> {
  const store = new MemoryEventStore();
  const accounts = new Accounts(store, { now: () => 1 }, { whenProcessed: async () => {} });
  await accounts.change(ALICE, (account) => decideRegistration(account, { userId: ALICE, via: 'open' }), BY_SERVER);
  await accounts.change(ALICE, (account) => decideDeactivation(account, false), BY_SERVER);
  const asked: string[] = [];
  const stateOf = async ({ type }: { readonly type: string }): Promise<StateOfFact> => {
    asked.push(type);
    return states.shift()!;
  };
  await new Reopening(store, { stateOf }).prepare(ALICE, await accounts.load(ALICE));
  expect(new Set(asked)).toEqual(new Set(['account-deactivated']));
  expect(states).toEqual([]);
}

test('a closed account is opened again once all is done that follows from its closing', async () => {
  await prepare('under-way', 'under-way', 'done');
});

test('where some of that was given up nobody is told to try again: it is for the operator', async () => {
  const refused = await prepare('under-way', 'given-up').catch((error: unknown) => error);
  expect(refused).toMatchObject({ errcode: 'M_BAD_STATE', status: 400, message: expect.stringContaining('operator') });
  expect(refused).not.toHaveProperty('fields.retry_after_ms');
});
