import { expect, test } from 'vitest';
import { eraseTail, sealFacts, verifyChain } from '#event-store/seal-facts';
import { asksForErasure, isUnerasable, tailLeftOf, textOfFact } from './erasable-parts.js';

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
  [
    'account-registered',
    { user_id: '@a:a', kind: 'user', via: 'open', password_hash: 'x' },
    { user_id: '@a:a', kind: 'user', via: 'open', erased: true },
  ],
  ['password-changed', { password_hash: 'x' }, { password_hash: '' }],
  ['tag-set', { room_id: '!r:a', tag: 'u.x', content: { order: 1 } }, { room_id: '!r:a', tag: '', content: {} }],
  [
    'device-added',
    { device_id: 'D', token_hash: 'h', display_name: 'mine' },
    { device_id: 'D', token_hash: 'h', erased: true },
  ],
  ['external-id-linked', { provider: 'p', id_hash: 'h', subject: 's' }, { provider: 'p', id_hash: '', subject: '' }],
  ['push-rule-removed', { kind: 'content', rule_id: 'x' }, { kind: 'content', erased: true }],
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
    ['device-added', { device_id: 'D', token_hash: 'h' }],
  ] as const)
    expect(textOfFact(type, data)).toEqual({ data: JSON.stringify(data) });
});

test('what was written before it could be erased is told apart', () => {
  const tag = { tag: 'x', room_id: '!r:a' };
  const factOf = (erasable?: number) => ({
    type: 'tag-removed',
    data: JSON.stringify(tag),
    metadata: { at: 1, actor: 'server', schema: 1, chain: '', erasable },
  });
  expect([isUnerasable(factOf()), isUnerasable(factOf(1))]).toEqual([true, false]);
  expect(isUnerasable({ ...factOf(), type: 'room-forgotten' })).toBe(false);
  const ends = (erase: boolean) => ({ type: 'account-deactivated', data: JSON.stringify({ erase }) });
  expect([true, false].map((erase) => asksForErasure(ends(erase)))).toEqual([true, false]);
});
