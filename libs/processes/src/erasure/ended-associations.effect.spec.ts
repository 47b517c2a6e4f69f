import { expect, test } from 'vitest';
import { decideAssociation, decideEnd, foldAssociation, NO_HOLDER } from '#identity/decide/association';
import { decideEndLearnt, decideLearnt } from '#identity/decide/learn-association';
import { decideBinding, decideBindingEnd, foldBinding, NO_BINDINGS } from '#identity/decide/bindings';
import { draftIdentityFacts } from '#identity/facts/draft-identity-facts';
import { associationStream, bindingsStream, type IdentityFact } from '#identity/facts/identity-facts';
import { identityFeedProjector } from '#identity/projections/identity-feed.projector';
import { identityProjector } from '#identity/projections/identity.projector';
import { Aggregates } from '#event-store/aggregates';
import type { ServerName, UserId } from '#kernel/ids';
import { MemoryEventStore } from '#testing/memory-event-store';
import { project } from '#testing/project';
import { EndedAssociations } from './ended-associations.effect.js';

const [ALICE, BOB] = ['@alice:a.example' as UserId, '@bob:b.example' as UserId];
const SERVER = 'id.example' as ServerName;
const CAUSE = { actor: 'server' };
const mail = (name: string) => ({ medium: 'email', address: `${name}@mail.example` }) as const;
const saying = { by: SERVER, now: 5 };
const parsed = (store: MemoryEventStore) =>
  store.facts.map((fact) => ({ ...fact, data: JSON.parse(fact.data) as unknown }));

/** As the views have it, and what peers are told. */
const projectAll = async (store: MemoryEventStore) => [
  await project(identityProjector, parsed(store)),
  await project(identityFeedProjector, parsed(store)),
];

async function runAll(store: MemoryEventStore): Promise<boolean[]> {
  const effect = new EndedAssociations(store);
  const done: boolean[] = [];
  for (const fact of store.facts.filter((one) => effect.keyOf(one) !== undefined)) done.push(await effect.run(fact));
  return done;
}

test('what an address was, and whose, nobody reads in the log once it is theirs no more, nor in what peers are told; what was said of it since stays', async () => {
  const store = new MemoryEventStore();
  const clock = { now: () => 1 };
  const streams = new Aggregates({ store, clock, capacity: 9, initialState: NO_HOLDER, evolve: foldAssociation });
  const say = (name: string, decide: (holder: typeof NO_HOLDER) => IdentityFact[]) =>
    streams.execute(associationStream(name), (holder) => draftIdentityFacts(decide(holder)), CAUSE);
  const make = (name: string, mxid: UserId) =>
    say(name, (holder) =>
      decideAssociation(holder, { id: `${name} ${mxid === ALICE ? 1 : 2}`, of: mail(name), mxid }, saying),
    );
  const end = (name: string) => say(name, (holder) => decideEnd(holder, ALICE, saying));
  for (const name of ['gone', 'back', 'taken']) await make(name, ALICE);
  await make('kept', BOB);
  for (const name of ['gone', 'back', 'gone']) await end(name);
  // Whose it was before has it no more.
  for (const name of ['back', 'taken']) await make(name, BOB);
  const told = { association_id: 'learnt', ts: 5, not_before: 5, not_after: 6, by: SERVER };
  await say('learnt', (holder) =>
    decideLearnt(
      holder,
      { ...told, of: mail('learnt'), mxid: ALICE, signatures: { [SERVER]: { key: 'by its key' } } },
      false,
    ),
  );
  await say('learnt', (holder) => decideEndLearnt(holder, told));
  const before = await projectAll(store);
  expect(await runAll(store)).toEqual([true, true, true, true]);
  const text = JSON.stringify(store.facts);
  for (const name of ['gone', 'learnt']) expect(text).not.toContain(`${name}@mail.example`);
  expect(text).not.toContain(ALICE);
  expect(text).not.toContain('by its key');
  for (const name of ['back', 'taken', 'kept']) expect(text.split(`${name}@mail.example`)).toHaveLength(2);
  expect(await projectAll(store)).toEqual(before);
  for (const rows of before) expect(JSON.stringify(rows)).not.toContain(ALICE);
  expect(await runAll(store)).toEqual([false, false, false, false]);
});

test('where an address was made known nobody reads in the log once that was undone', async () => {
  const store = new MemoryEventStore();
  const clock = { now: () => 1 };
  const streams = new Aggregates({ store, clock, capacity: 9, initialState: NO_BINDINGS, evolve: foldBinding });
  const say = (decide: (known: typeof NO_BINDINGS) => IdentityFact[]) =>
    streams.execute(bindingsStream(ALICE), (known) => draftIdentityFacts(decide(known)), CAUSE);
  for (const name of ['gone', 'kept'])
    await say((known) => decideBinding(known, name, { of: mail(name), server: SERVER }));
  await say((known) => decideBinding(known, 'again', { of: mail('kept'), server: SERVER }));
  await say((known) => decideBindingEnd(known, { of: mail('gone'), server: SERVER }));
  expect(await runAll(store)).toEqual([true]);
  const text = JSON.stringify(store.facts);
  expect(text).not.toContain('gone@mail.example');
  expect(text.split('kept@mail.example')).toHaveLength(2);
  expect(await runAll(store)).toEqual([false]);
});
