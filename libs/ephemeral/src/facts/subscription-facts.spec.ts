import { expect, it } from 'vitest';
import { inTodaysShape } from '#event-store/fact-shapes';
import type { UserId } from '#kernel/ids';
import { recordFacts } from '#testing/project';
import { ask, evolveRelations } from '../decide/decide-subscriptions.js';
import { Relations } from '../decide/relations.js';
import {
  draftSubscription,
  readSubscriptionFact,
  SUBSCRIPTION_SHAPES,
  subscriptionsStream,
} from './subscription-facts.js';

const [BOB, CAROL, DAN] = ['@bob:a.example' as UserId, '@carol:c.example' as UserId, '@dan:d.example' as UserId];

it.each([
  ['subscription-asked', {}],
  ['subscription-ended', { by: 'owner' }],
  ['watcher-asked', {}],
  ['watcher-accepted', {}],
  ['watcher-ended', { by: 'owner' }],
])('a fact of the first schema, in which an asking was a random name, says of none: %s', (type, more) => {
  const read = (id: unknown) => {
    const data = { user_id: CAROL, ...more, ask: id };
    const [fact] = recordFacts([{ stream: subscriptionsStream(BOB), type, data }]);
    return readSubscriptionFact(inTodaysShape(fact!, SUBSCRIPTION_SHAPES));
  };
  expect(read('0b2c4f0e-7d0a-4d0e-9a51-0d6a8f1e3c77')).toEqual({ type, data: { user_id: CAROL, ...more } });
  const numbered = read(5);
  expect(numbered).toEqual({ type, data: { user_id: CAROL, ...more, ask: 5 } });
  // Who had asked before asks by a number from then on, and it is written in the schema of those.
  const data = JSON.stringify(read('0b2c4f0e').data);
  const [asked] = ask(evolveRelations(Relations.none, { type, data }), DAN, 7);
  expect(asked).toEqual({ type: 'subscription-asked', data: { user_id: DAN, ask: 7 } });
  expect(draftSubscription(numbered).schema).toBe(2);
});
