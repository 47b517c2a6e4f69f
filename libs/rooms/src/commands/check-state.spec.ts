import { expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import { ALICE, BOB } from '#testing/local-room';
import { RoomCommands } from '#testing/room-commands';
import { checkState } from './check-state.js';

it('lets nobody of another server be invited to a room that only users of this one can be in', async () => {
  const rooms = new RoomCommands();
  const closed = await rooms.createRoom(ALICE, { creation_content: { 'm.federate': false } });
  const invite = (roomId: typeof closed, stateKey: UserId): Promise<unknown> => {
    const draft = { type: 'm.room.member', stateKey, sender: ALICE, content: { membership: 'invite' } };
    return rooms.workers.run(roomId, { actor: ALICE }, (turn) => checkState(turn, draft));
  };
  const elsewhere = '@bob:b.example' as UserId;
  await expect(invite(closed, elsewhere)).rejects.toMatchObject({
    errcode: 'M_FORBIDDEN',
    message: 'This room is not open to other servers',
  });
  await invite(closed, BOB);
  await invite(await rooms.createRoom(ALICE), elsewhere);
});
