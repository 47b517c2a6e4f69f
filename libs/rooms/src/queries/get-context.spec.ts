import { expect, it } from 'vitest';
import type { EventId, UserId } from '#kernel/ids';
import { ALICE } from '#testing/local-room';
import { RoomCommands } from '#testing/room-commands';
import { getContext } from './get-context.js';
import { listStateFor } from './get-state.js';

const BOB = '@bob:a.example' as UserId;

it('surrounds the invitation of somebody who had left by no state of the time between: /state ends with their stay', async () => {
  const home = new RoomCommands();
  const roomId = await home.open();
  await home.setState(ALICE, roomId, 'm.room.history_visibility', { history_visibility: 'invited' });
  await home.join(BOB, roomId);
  await home.leave(BOB, roomId);
  await home.setState(ALICE, roomId, 'm.room.topic', { topic: 'behind his back' });
  await home.on(ALICE, 'invite', roomId, BOB);
  const invitation = home.facts(roomId, 'pdu-accepted').at(-1)!;
  const eventId = JSON.parse(invitation.data).event_id as EventId;
  await home.views.follow();
  const bob = { userId: BOB, ignored: new Set<UserId>() };
  const typesFor = async (userId: UserId): Promise<string[]> => {
    const { state } = await getContext(home.views, roomId, eventId, { ...bob, userId }, 0, {});
    return state.map(({ header }) => header.type);
  };
  expect(await typesFor(ALICE)).toContain('m.room.topic');
  const { rows } = await listStateFor(home.views, roomId, bob);
  expect(rows.map(({ header }) => header.type)).not.toContain('m.room.topic');
  expect(await typesFor(BOB)).not.toContain('m.room.topic');
});
