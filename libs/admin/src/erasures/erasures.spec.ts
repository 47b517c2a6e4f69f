import { expect, test } from 'vitest';
import { MemoryEventStore } from '#testing/memory-event-store';
import type { UserId } from '#kernel/ids';
import type { StateOfFact, WhatFollows } from '#projections/effects/what-follows';
import { Erasures } from './erasures.js';

const ALICE = '@alice:a.example' as UserId;
let now = 0;
const clock = { now: () => ++now };
const start = (store = new MemoryEventStore(), follows?: WhatFollows): Erasures => new Erasures(store, clock, follows);

test('an erasure that is under way is not ordered once more, and one that has ended may be', async () => {
  const erasures = start();
  const order = { user_id: ALICE, content: true } as const;
  const id = await erasures.order(order, 'server');
  expect(await erasures.order(order, 'server')).toBe(id);
  expect(await erasures.order({ ...order, here: true }, 'server')).not.toBe(id);
  await erasures.begin({ erasure_id: id, found: { devices: 2 } });
  await erasures.begin({ erasure_id: id, found: { devices: 9 } });
  await erasures.end({ erasure_id: id, removed: { messages: 3 }, kept: {} });
  await erasures.end({ erasure_id: id, removed: {}, kept: {} });
  expect((await erasures.load()).get(id)).toMatchObject({
    begun: { found: { devices: 2 } },
    ended: { removed: { messages: 3 } },
  });
  expect(await erasures.order(order, 'server')).not.toBe(id);
});

test('an account that was closed with what was its is noted, once, and where nothing else says so', async () => {
  const store = new MemoryEventStore();
  const erasures = start(store);
  expect(await erasures.noteAccount(ALICE)).toBe(true);
  expect(await erasures.noteAccount(ALICE)).toBe(false);
  const BOB = '@bob:a.example' as UserId;
  await erasures.order({ user_id: BOB, content: true, again: 1 }, 'server');
  expect(await erasures.noteAccount(BOB)).toBe(false);
  const known = [...(await start(store).load()).values()];
  expect(known).toMatchObject([
    { user_id: ALICE, ended: { removed: {} } },
    { user_id: BOB, content: true, at: 1 },
  ]);
});

test("an account is noted whose name was another one's when an erasure was refused", async () => {
  const erasures = start();
  const erasure_id = await erasures.order({ user_id: ALICE, again: 1 }, 'server');
  await erasures.end({ erasure_id, removed: {}, kept: {}, refused: 'another account of that name was meant' });
  expect([await erasures.noteAccount(ALICE), await erasures.noteAccount(ALICE)]).toEqual([true, false]);
});

test('an account that was opened again is noted once more where it is closed so again, in a log that is read anew, too', async () => {
  const store = new MemoryEventStore();
  const erasures = start(store);
  const notes = [undefined, 7, 7, 9].map((reopened) => () => erasures.noteAccount(ALICE, reopened));
  const told: boolean[] = [];
  for (const note of notes) told.push(await note());
  expect(told).toEqual([true, true, false, true]);
  const known = [...(await start(store).load()).values()];
  expect(known.map(({ reopened }) => reopened)).toEqual([undefined, 7, 9]);
  expect(known.map(({ at }) => at)).toEqual(known.map(({ at }) => at).toSorted((a, b) => a - b));
});

test('an account may be opened again unless all that was said went with it, or it is being erased', async () => {
  const erasures = start();
  const may = (userId: UserId) =>
    erasures.checkReopening(userId).then(
      () => 'yes',
      ({ errcode, status }) => `${errcode} ${status}`,
    );
  await erasures.noteAccount(ALICE);
  expect(await may(ALICE)).toBe('yes');
  const erasure_id = await erasures.order({ user_id: ALICE, again: 1 }, 'server');
  expect(await may(ALICE)).toBe('M_UNKNOWN 503');
  await erasures.end({ erasure_id, removed: {}, kept: {} });
  expect(await may(ALICE)).toBe('yes');
  const refused = await erasures.order({ user_id: ALICE, content: true }, 'server');
  expect(await may(ALICE)).toBe('M_FORBIDDEN 403');
  await erasures.end({ erasure_id: refused, removed: {}, kept: {}, refused: 'it was somebody else' });
  expect(await may(ALICE)).toBe('yes');
  await erasures.order({ user_id: ALICE, content: true }, 'server');
  expect(await may('@bob:a.example' as UserId)).toBe('yes');
  expect(await may(ALICE)).toBe('M_FORBIDDEN 403');
});

test('where an erasure of an account that is closed was given up nobody is told to try again', async () => {
  let state: StateOfFact = 'under-way';
  const asked: string[] = [];
  const stateOf = async ({ type }: { readonly type: string }): Promise<StateOfFact> => {
    asked.push(type);
    return state;
  };
  const erasures = start(undefined, { stateOf });
  await erasures.order({ user_id: '@bob:a.example' as UserId, again: 1 }, 'server');
  await erasures.order({ user_id: ALICE, again: 1 }, 'server');
  await expect(erasures.checkReopening(ALICE)).rejects.toMatchObject({ errcode: 'M_UNKNOWN', status: 503 });
  state = 'given-up';
  await expect(erasures.checkReopening(ALICE)).rejects.toMatchObject({ errcode: 'M_BAD_STATE', status: 400 });
  expect(asked).toEqual(['erasure-ordered', 'erasure-ordered']);
});

test('one more costs no copy of all that is known', async () => {
  const erasures = start();
  await erasures.noteAccount(ALICE);
  const known = await erasures.load();
  await erasures.noteAccount('@bob:a.example' as UserId);
  expect(await erasures.load()).toBe(known);
  expect(known.size).toBe(2);
});
