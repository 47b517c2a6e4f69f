import { expect, test } from 'vitest';
import { decideAssociation, decideEnd, foldAssociation, NO_HOLDER } from '#identity/decide/association';
import { decideBinding, decideBindingEnd, foldBinding, NO_BINDINGS } from '#identity/decide/bindings';
import { draftIdentityFacts } from '#identity/facts/draft-identity-facts';
import { associationStream, bindingsStream, type IdentityFact } from '#identity/facts/identity-facts';
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

async function runAll(store: MemoryEventStore): Promise<boolean[]> {
  const effect = new EndedAssociations(store);
  const done: boolean[] = [];
  for (const fact of store.facts.filter((one) => effect.keyOf(one) !== undefined)) done.push(await effect.run(fact));
  return done;
}

test('whose an address was nobody reads in the log once it is nobody’s, and what was said of it since stays', async () => {
  const store = new MemoryEventStore();
  const clock = { now: () => 1 };
  const streams = new Aggregates({ store, clock, capacity: 9, initialState: NO_HOLDER, evolve: foldAssociation });
  const say = (name: string, decide: (holder: typeof NO_HOLDER) => IdentityFact[]) =>
    streams.execute(associationStream(mail(name)), (holder) => draftIdentityFacts(decide(holder)), CAUSE);
  for (const name of ['gone', 'back', 'kept'])
    await say(name, (holder) => decideAssociation(holder, mail(name), ALICE, saying));
  for (const name of ['gone', 'back']) await say(name, (holder) => decideEnd(holder, mail(name), ALICE, saying));
  await say('gone', (holder) => decideEnd(holder, mail('gone'), ALICE, saying));
  await say('back', (holder) => decideAssociation(holder, mail('back'), BOB, saying));
  const before = await project(identityProjector, parsed(store));
  expect(await runAll(store)).toEqual([true, true]);
  const text = JSON.stringify(store.facts);
  expect(text).not.toContain('gone@mail.example');
  expect(text.split('back@mail.example')).toHaveLength(2);
  expect(text).toContain('kept@mail.example');
  expect(await project(identityProjector, parsed(store))).toEqual(before);
  expect(await runAll(store)).toEqual([false, false]);
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
