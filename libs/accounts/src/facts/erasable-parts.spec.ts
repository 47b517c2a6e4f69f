import { expect, test } from 'vitest';
import { eraseTail, sealFacts, verifyChain } from '#event-store/seal-facts';
import { tailLeftOf, textOfFact } from './erasable-parts.js';

test.each([
  ['profile-changed', { key: 'displayname', value: 'Zoë' }, { key: 'displayname', removed: true }],
  [
    'threepid-added',
    { medium: 'email', validated_at: 1, added_at: 2, address: 'a@b.c' },
    { medium: 'email', validated_at: 1, added_at: 2, removed: true },
  ],
  ['threepid-removed', { medium: 'email', address: 'a@b.c' }, { medium: 'email', erased: true }],
  [
    'account-data-set',
    { room_id: '!r:a', type: 'm.x', content: { a: 1 } },
    { room_id: '!r:a', type: 'm.x', content: {} },
  ],
])('%s says the same beside a salt, and nothing once it is erased', (type, data, left) => {
  const text = textOfFact(type, data);
  expect(JSON.parse(text.data)).toEqual({ ...data, salt: expect.stringMatching(/^[\w-]{22}$/) });
  expect(textOfFact(type, data).data).not.toBe(text.data);
  const [fact] = sealFacts(undefined, [{ id: 'x', type, ...text, at: 1, actor: 'server' }]);
  const erased = eraseTail(fact!, tailLeftOf(type)!);
  expect(JSON.parse(erased.data)).toEqual(left);
  expect(verifyChain(undefined, erased)).toBe(true);
});

test('what has nothing of the kind is as it was', () => {
  for (const [type, data] of [
    ['profile-changed', { key: 'displayname', removed: true }],
    ['tag-removed', { tag: 'x' }],
  ] as const)
    expect(textOfFact(type, data)).toEqual({ data: JSON.stringify(data) });
});
