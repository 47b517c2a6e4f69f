import { expect, it } from 'vitest';
import type { SetReceipt } from '#ephemeral/commands/receipts';
import { packReceipts } from './pack-receipts.js';

const receipt = (userId: string, event: string, other: object = {}): SetReceipt =>
  ({ userId, room_id: '!r', receipt_type: 'm.read', event_id: event, ts: 7, ...other }) as SetReceipt;

it('receipts of many users and rooms are told together, and of one user in a room one at a time', () => {
  const packed = packReceipts([
    receipt('@a', '$1'),
    receipt('@a', '$2', { thread_id: 'main' }),
    receipt('@b', '$1'),
    receipt('@a', '$3', { room_id: '!s' }),
    receipt('@a', '$4', { thread_id: '$root' }),
  ]);
  expect(packed).toEqual([
    {
      '!r': {
        'm.read': { '@a': { event_ids: ['$1'], data: { ts: 7 } }, '@b': { event_ids: ['$1'], data: { ts: 7 } } },
      },
      '!s': { 'm.read': { '@a': { event_ids: ['$3'], data: { ts: 7 } } } },
    },
    { '!r': { 'm.read': { '@a': { event_ids: ['$2'], data: { ts: 7, thread_id: 'main' } } } } },
    { '!r': { 'm.read': { '@a': { event_ids: ['$4'], data: { ts: 7, thread_id: '$root' } } } } },
  ]);
});

it('receipts of more users than two hundred are told by several', () => {
  const packed = packReceipts(Array.from({ length: 450 }, (_, n) => receipt(`@${n}`, '$1')));
  expect(packed).toHaveLength(3);
});
