import { beforeEach, expect, it } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import { type RoomId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import { ROOM_MEMBERS } from '#rooms/projections/membership.projector';
import { SERVER_LOG } from '#rooms/projections/server-log';
import { MemoryReadModels } from '#testing/memory-read-models';
import { positionOf } from '#testing/position-of';
import { PresenceIntroduction } from './presence-introduction.js';
import type { PresenceSender } from './presence-sender.js';

const ROOM = '!room:a.example' as RoomId;
const [ALICE, BOB, CAROL] = ['@alice:a.example', '@bob:b.example', '@carol:b.example'] as [UserId, UserId, UserId];

let views: MemoryReadModels;
let told: unknown[];
let introduction: PresenceIntroduction;
let at: number;
let errors: unknown[];
beforeEach(() => {
  at = 0;
  told = [];
  views = new MemoryReadModels();
  const sender = {
    introduce: (userId: UserId) => void told.push(userId),
    introduceTo: (server: ServerName, users: readonly UserId[]) => void told.push([server, users]),
  };
  const config = { serverName: 'a.example' as ServerName };
  errors = [];
  const logger = { error: (...said: unknown[]) => void errors.push(said) };
  const asViews = views as unknown as Views;
  introduction = new PresenceIntroduction(sender as unknown as PresenceSender, asViews, config, logger);
});

/** A member event, behind which so many of its server are in the room; undefined where that changed nothing of it. */
async function member(userId: UserId, membership: string, joined: number | undefined): Promise<void> {
  const position = positionOf(++at);
  const key = [ROOM, serverNameOf(userId), position];
  const log = { collection: SERVER_LOG.name, key, value: SERVER_LOG.codec.encode({ joined: joined ?? 0, invited: 0 }) };
  const row = { collection: ROOM_MEMBERS.name, key: [ROOM, 'join', userId], value: ROOM_MEMBERS.codec.encode(true) };
  await views.write([...(joined === undefined ? [] : [log]), ...(membership === 'join' ? [row] : [])]);
  const pdu = { type: 'm.room.member', state_key: userId, content: { membership } };
  const data = JSON.stringify({ pdu });
  await introduction.take({ stream: `room-${ROOM}`, type: 'pdu-accepted', position, data } as RecordedFact);
}

it('tells a server that comes to a room who of ours is there, once, and those in it of one of ours who joins', async () => {
  await member(ALICE, 'join', 1);
  await member(BOB, 'join', 1);
  await member(CAROL, 'join', 2);
  expect(told).toEqual([ALICE, ['b.example', [ALICE]]]);
});

it('tells nobody of another name, nor where somebody leaves', async () => {
  await member(ALICE, 'join', undefined);
  await member(CAROL, 'leave', 1);
  expect(told).toEqual([]);
});

it('says so where it fails by a mistake of ours, and nothing while the views are away', async () => {
  const hear = async (data: string): Promise<void> => {
    introduction.hear([
      { stream: `room-${ROOM}`, type: 'pdu-accepted', position: positionOf(++at), data } as RecordedFact,
    ]);
    await new Promise((resolve) => setImmediate(resolve));
  };
  const pdu = { type: 'm.room.member', state_key: BOB, content: { membership: 'join' } };
  views.get = () => Promise.reject(new ViewsUnavailable('away'));
  await hear(JSON.stringify({ pdu, state: [1] }));
  expect(errors).toEqual([]);
  views.get = () => Promise.reject(new TypeError('a mistake'));
  await hear(JSON.stringify({ pdu, state: [1] }));
  expect(errors).toHaveLength(1);
});
