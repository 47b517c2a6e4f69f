import { expect, it } from 'vitest';
import { presenceListsProjector } from '#ephemeral/projections/presence-lists.projector';
import { type SubscriptionFact, subscriptionsStream } from '#ephemeral/facts/subscription-facts';
import type { ServerName, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Views } from '#projections/views';
import { MemoryReadModels } from '#testing/memory-read-models';
import { applyFacts, recordFacts } from '#testing/project';
import type { Edu } from '../sending/edu-source.js';
import { PresenceListSource } from './presence-list-source.js';

const [ALICE, BOB] = ['@alice:a.example' as UserId, '@bob:b.example' as UserId];
const B = 'b.example' as ServerName;

const plain = ({ edu_type, content }: Edu): JsonObject => ({ edu_type, content });

/** What the other server is told of each fact once all of them are there, and of all together. */
async function toldOf(...said: readonly SubscriptionFact[]): Promise<{ each: JsonObject[]; missed: JsonObject[] }> {
  const facts = recordFacts(said.map((fact) => ({ stream: subscriptionsStream(ALICE), ...fact })));
  const rows = new MemoryReadModels();
  await applyFacts(presenceListsProjector, facts, rows);
  const source = new PresenceListSource(rows as unknown as Views, { serverName: 'a.example' as ServerName });
  const [each, missed]: [JsonObject[], JsonObject[]] = [[], []];
  for (const fact of facts) for (const { edu } of await source.edusOf(fact)) each.push(plain(edu));
  for await (const edus of source.missedBy(B, facts[0]!.position)) missed.push(...edus.map(plain));
  return { each, missed };
}

const about = (type: string, observer: UserId, ask?: number): JsonObject => ({
  edu_type: type,
  content: {
    observed_user: observer === ALICE ? BOB : ALICE,
    observer_user: observer,
    ...(ask === undefined ? {} : { 'dev.annals.ask': ask }),
  },
});
const asked = (ask: number): SubscriptionFact => ({ type: 'subscription-asked', data: { user_id: BOB, ask } });
const ended = (by: 'owner' | 'other', ask?: number): SubscriptionFact => ({
  type: 'subscription-ended',
  data: { user_id: BOB, by, ...(ask === undefined ? {} : { ask }) },
});

it('nobody is asked once more who has refused, though the fact comes again; their server hears that it is over', async () => {
  expect(await toldOf(asked(1))).toEqual({
    each: [about('m.presence_invite', ALICE, 1)],
    missed: [about('m.presence_invite', ALICE, 1)],
  });
  const refused = await toldOf(asked(1), ended('other', 1));
  const over = [about('dev.annals.presence_drop', ALICE, 1)];
  expect(refused).toEqual({ each: over, missed: over });
});

it('an asking that was taken back is told as that, and the one after it as the one that holds', async () => {
  const again = await toldOf(asked(1), ended('owner', 1), asked(2));
  expect(again).toEqual({
    each: [about('dev.annals.presence_drop', ALICE, 1), about('m.presence_invite', ALICE, 2)],
    missed: [about('m.presence_invite', ALICE, 2)],
  });
});

it('a refusal says what was refused, also to a server that was away', async () => {
  const refused: readonly SubscriptionFact[] = [
    { type: 'watcher-asked', data: { user_id: BOB, ask: 7 } },
    { type: 'watcher-ended', data: { user_id: BOB, by: 'owner', ask: 7 } },
  ];
  const told = [about('m.presence_deny', BOB, 7)];
  expect(await toldOf(...refused)).toEqual({ each: told, missed: told });
});

it('a server that was away hears that it is over of the asking that is, and nothing is an answer to who asks anew and waits', async () => {
  const dropped = await toldOf(asked(1), ended('owner', 1), asked(2), ended('owner', 2));
  expect(dropped.missed).toEqual([about('dev.annals.presence_drop', ALICE, 2)]);
  const waits = await toldOf(
    { type: 'watcher-asked', data: { user_id: BOB } },
    { type: 'watcher-ended', data: { user_id: BOB, by: 'owner' } },
    { type: 'watcher-asked', data: { user_id: BOB } },
  );
  expect(waits.missed).toEqual([]);
});
