import type { RoomId, UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { authStateOf } from '#protocol/event-auth/auth-state';
import { mayChangeVisibility } from '#protocol/message-visibility';
import { ROOM_STATE } from '../projections/room-state.projector.js';
import { eventOfStoredRow } from '../projections/stored-event.js';
import { parseRow } from '../projections/timeline-row.js';
import { findVersion } from './redacted-copy.js';

/** Whether somebody who is in a room may hide messages there: whose level is looked at by clients too, so as it is now. */
export async function mayHideMessages(views: Views, roomId: RoomId, userId: UserId): Promise<boolean> {
  const version = await findVersion({ views, roomId });
  const keys = (['m.room.create', 'm.room.power_levels'] as const).map((type) => [roomId, type, ''] as const);
  const texts = await ROOM_STATE.getMany(views, keys);
  const state = texts.flatMap((text) => (text === undefined ? [] : [eventOfStoredRow(roomId, parseRow(text))]));
  return mayChangeVisibility(userId, authStateOf(state), version);
}
