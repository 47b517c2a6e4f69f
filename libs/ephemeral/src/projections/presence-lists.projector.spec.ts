import { expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { MemoryReadModels } from '#testing/memory-read-models';
import { applyFacts, recordFacts } from '#testing/project';
import { evolveRelations } from '../decide/decide-subscriptions.js';
import { Relations } from '../decide/relations.js';
import { type SubscriptionFact, subscriptionsStream } from '../facts/subscription-facts.js';
import { PRESENCE_LISTS, presenceListsProjector } from './presence-lists.projector.js';

const [ALICE, BOB] = ['@alice:a.example' as UserId, '@bob:a.example' as UserId];

it('the row of two users says what those know who decide: also that one declined, as long as anything is left', async () => {
  const said: readonly SubscriptionFact[] = [
    { type: 'subscription-asked', data: { user_id: BOB, ask: 1 } },
    { type: 'watcher-asked', data: { user_id: BOB, ask: 2 } },
    { type: 'watcher-ended', data: { user_id: BOB, by: 'owner', ask: 2 } },
    { type: 'subscription-accepted', data: { user_id: BOB } },
    { type: 'watcher-accepted', data: { user_id: BOB, ask: 3 } },
    { type: 'watcher-ended', data: { user_id: BOB, by: 'owner' } },
    { type: 'subscription-ended', data: { user_id: BOB, by: 'owner' } },
    { type: 'subscription-asked', data: { user_id: BOB, ask: 4 } },
  ];
  const facts = recordFacts(said.map((fact) => ({ stream: subscriptionsStream(ALICE), ...fact })));
  const rows = new MemoryReadModels();
  let known = Relations.none;
  const declined: unknown[] = [];
  for (const fact of facts) {
    await applyFacts(presenceListsProjector, [fact], rows);
    known = evolveRelations(known, fact);
    const {
      pos,
      list_told: _list,
      watch_told: _watch,
      ...row
    } = (await PRESENCE_LISTS.get(rows as unknown as Views, [ALICE, BOB]))!;
    expect([pos, row]).toEqual([fact.position, known.get(BOB) ?? {}]);
    declined.push(row.declined);
  }
  expect(declined).toEqual([undefined, undefined, true, true, undefined, true, undefined, undefined]);
});
