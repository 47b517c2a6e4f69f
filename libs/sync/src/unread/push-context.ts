import type { RoomId, UserId } from '#kernel/ids';
import { isJsonObject, JsonNumber, type JsonObject } from '#kernel/json';
import type { Views } from '#projections/views';
import { authStateOf } from '#protocol/event-auth/auth-state';
import { powerLevelOf } from '#protocol/event-auth/power-levels';
import type { PushContext } from '#protocol/push-rules/evaluate-rules';
import type { RoomEvent } from '#protocol/room-event';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import type { MemberRow, RoomCounts } from '#rooms/projections/membership.projector';
import type { RoomSummary } from '#rooms/projections/room-summary.projector';
import { parseRow, type TimelineRow } from '#rooms/projections/timeline-row';

/** What push rules need to know of a room besides the event. */
export type ContextOfSender = (sender: UserId) => PushContext;

/** An event as push rules look at it: as clients see it. */
export function eventOfRow(roomId: RoomId, { header, json }: TimelineRow): RoomEvent {
  const pdu = JSON.parse(json) as JsonObject;
  return {
    eventId: header.e,
    roomId,
    type: header.t,
    sender: header.s,
    stateKey: header.k,
    content: isJsonObject(pdu['content']) ? pdu['content'] : {},
    originServerTs: header.o,
    depth: header.d,
    prevEvents: [],
    authEvents: [],
    redacts: undefined,
    pdu,
  };
}

/** Reads what push rules need of a room as it is now, for one reader. */
export async function readPushContext(views: Views, roomId: RoomId, reader: UserId): Promise<ContextOfSender> {
  const [member, counts, room, create, levels] = await Promise.all([
    views.get('members', [roomId, reader]),
    views.get('room-counts', [roomId]),
    views.get('rooms', [roomId]),
    views.get('room-state', [roomId, 'm.room.create', '']),
    views.get('room-state', [roomId, 'm.room.power_levels', '']),
  ]);
  const state = [create, levels].flatMap((text) => (text === undefined ? [] : [eventOfRow(roomId, parseRow(text))]));
  const auth = authStateOf(state);
  const version = room === undefined ? undefined : findRoomVersion((JSON.parse(room) as RoomSummary).version);
  const base = {
    displayName: member === undefined ? undefined : (JSON.parse(member) as MemberRow).displayname,
    memberCount: counts === undefined ? 0 : (JSON.parse(counts) as RoomCounts).joined,
    notificationLevels: numbersIn(auth.get('m.room.power_levels', '')?.content['notifications']),
  };
  return (sender) => ({
    ...base,
    senderPowerLevel: version === undefined ? 0 : powerLevelOf(sender, auth, version),
  });
}

function numbersIn(value: JsonObject['string']): Record<string, number> {
  if (!isJsonObject(value)) return {};
  const entries = Object.entries(value).map(([key, level]) => [
    key,
    level instanceof JsonNumber ? Number(level) : level,
  ]);
  return Object.fromEntries(entries.filter(([, level]) => typeof level === 'number')) as Record<string, number>;
}
