import { expect, test } from 'vitest';
import { relationOf } from './relation.js';

test.each([
  ['a reaction', { rel_type: 'm.annotation', event_id: '$e', key: '👍' }, ['m.annotation', '$e', '👍']],
  ['an event in a thread', { rel_type: 'm.thread', event_id: '$e' }, ['m.thread', '$e', undefined]],
  ['a rich reply, which is of no type', { 'm.in_reply_to': { event_id: '$e' } }, [undefined, undefined, undefined]],
  ['parts that are no texts', { rel_type: 1, event_id: null, key: ['x'] }, [undefined, undefined, undefined]],
])('%s is told in its parts', (_, relation, [relType, parent, key]) => {
  expect(relationOf({ 'm.relates_to': relation })).toEqual({ relType, parent, key });
});

test.each([undefined, null, 'm.thread', ['$e']])('%j is no relation', (relation) => {
  expect(relationOf({ 'm.relates_to': relation })).toBeUndefined();
});
