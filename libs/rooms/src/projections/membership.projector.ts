import type { RecordedFact } from '#event-store/event-store';
import { type Answer, forEachInOrder, whenThere } from '#kernel/answer';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import { userIdOfStream } from '#kernel/user-stream';
import type { Position } from '#kernel/position';
import { asJson, asMark, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import type { RoomForgotten } from '../facts/room-facts.js';
import { type MembershipTold, userIdOfElsewhere } from '../facts/elsewhere-facts.js';
import { ELSEWHERE, elsewhereRowOf } from './elsewhere-rows.js';
import { type MemberRow, memberRow } from './member-row.js';
import { findLastBefore, MEMBERSHIP_LOG } from './membership-log.js';
import { currentMembersOf, type CurrentStateEvent, type RoomFactReader } from './room-fact-reader.js';
import { contentOf } from '../facts/pdu-fields.js';
import { purgeByRoom, purgeOf } from './purged-rows.js';
import { SERVER_LOG, ServerChanges } from './server-log.js';

/** What a user is in a room, for the user. */
export interface UserRoomRow {
  readonly membership: string;
  readonly event_id: EventId;
  readonly pos: Position;
  readonly sender: UserId;
  /** The user was in the room before. Only of who is not in it. */
  readonly was_in?: true;
  /** The room is not here: others, or the user, say what the user is in it (`ELSEWHERE`). */
  readonly elsewhere?: true;
  /** The user wants to hear of it no more. Only beside `leave` and `ban`. */
  readonly forgotten?: true;
  /** The user forgot the room and has not joined it since: what was there before is closed to them, invited again or not. */
  readonly closed?: true;
}

/** How many members a room has, and the position of the last change. */
export interface RoomCounts {
  readonly joined: number;
  readonly invited: number;
  readonly pos: Position;
}

export const MEMBERS = new Collection<readonly [roomId: RoomId, userId: UserId], MemberRow>('members', {
  key: ['room', 'user'],
  says: 'membership, event, sender, names',
  codec: asJson(),
});

export const ROOM_MEMBERS = new Collection<readonly [roomId: RoomId, membership: string, userId: UserId], true>(
  'room-members',
  { key: ['room', 'membership', 'user'], says: 'that the user is that in the room', codec: asMark },
);

export const USER_ROOMS = new Collection<readonly [userId: UserId, roomId: RoomId], UserRoomRow>('user-rooms', {
  key: ['user', 'room'],
  says: 'membership, event, sender, whether forgotten',
  codec: {
    // One order of keys, whatever happened before: a rebuilt row must be the same text.
    encode: ({ membership, event_id, pos, sender, was_in, elsewhere, forgotten, closed }) =>
      JSON.stringify({ membership, event_id, pos, sender, was_in, elsewhere, forgotten, closed }),
    decode: asJson<UserRoomRow>().decode,
  },
});

export const ROOM_COUNTS = new Collection<readonly [roomId: RoomId], RoomCounts>('room-counts', {
  key: ['room'],
  says: 'how many are joined and invited',
  codec: asJson(),
});

const HANDLED = new Set([
  'pdu-accepted',
  'state-taken',
  'pdu-redacted',
  'room-forgotten',
  'membership-told',
  'stays-ended',
  'room-purged',
]);

/** Who is what in which room, from each side, when it changed, and which servers are in it by that. */
export function membershipProjector(reader: RoomFactReader): Projector {
  return {
    name: 'membership',
    version: 7,
    // By `server-log`, which came with it, it is known whether this server is in a room at all.
    readableSince: 4,
    ...owning(MEMBERS, ROOM_MEMBERS, USER_ROOMS, MEMBERSHIP_LOG, ROOM_COUNTS, SERVER_LOG, ELSEWHERE),
    handles: (type) => HANDLED.has(type),
    project(fact, rows) {
      if (fact.type === 'room-forgotten') return forget(fact, rows);
      if (fact.type === 'membership-told') return takeTold(fact, rows);
      if (fact.type === 'stays-ended') return endTold(fact, rows);
      if (fact.type === 'room-purged') return purge(fact, rows);
      if (fact.type === 'pdu-redacted') return redactMember(reader, fact, rows);
      const accepted = reader.findStateChange(fact);
      if (accepted === undefined) return undefined;
      const members = currentMembersOf(accepted);
      return members.length === 0 ? undefined : applyMembers(accepted.roomId, fact.position, members, rows);
    },
  };
}

function applyMembers(
  roomId: RoomId,
  position: Position,
  members: readonly CurrentStateEvent[],
  rows: OwnRows,
): Answer<void> {
  let joined = 0;
  let invited = 0;
  const servers = new ServerChanges();
  const applied = forEachInOrder(members, (member) =>
    whenThere(applyMember(roomId, position, member, rows), ([before, after]) => {
      servers.note(member.change.state_key, before, after);
      joined += Number(after === 'join') - Number(before === 'join');
      invited += Number(after === 'invite') - Number(before === 'invite');
    }),
  );
  const counted = whenThere(applied, () => servers.write(roomId, position, rows));
  const before = whenThere(counted, () => ROOM_COUNTS.get(rows, [roomId]));
  return whenThere(before, (counts) => {
    // A fact that is applied again must not count again.
    if (counts !== undefined && (counts.pos >= position || (joined === 0 && invited === 0))) return;
    ROOM_COUNTS.put(rows, [roomId], {
      joined: (counts?.joined ?? 0) + joined,
      invited: (counts?.invited ?? 0) + invited,
      pos: position,
    });
  });
}

/** Writes the rows of one member; answers the membership before and after. */
function applyMember(
  roomId: RoomId,
  position: Position,
  member: CurrentStateEvent,
  rows: OwnRows,
): Answer<[before: string | undefined, after: string]> {
  const { change, content } = member;
  const userId = change.state_key as UserId; // as far as anybody asks for it
  const membership = String(content['membership']);
  // The membership before comes from the log of memberships and not from the row of now, which may already be this fact's
  // or a later one's when facts are applied again.
  const last = change.replaces === undefined ? undefined : findLastBefore(roomId, userId, position, rows);
  return whenThere(last, (log) => {
    const before = log?.inRoom;
    const prev = before?.membership;
    const left = membership === 'join' ? undefined : prev === 'join' ? position : before?.left;
    // What was told of a room that was not here counts no more once the room says the same.
    if (log?.any?.membership !== membership || log.any.elsewhere === true) {
      MEMBERSHIP_LOG.put(rows, [roomId, userId, position], { membership, left });
    }
    return whenThere(USER_ROOMS.get(rows, [userId, roomId]), (current) => {
      putMember(roomId, position, member, { prev, wasIn: left !== undefined, current }, rows);
      return [prev, membership];
    });
  });
}

/** What a user was in a room before, and what is written of what they are now. */
interface MemberBefore {
  readonly prev: string | undefined;
  readonly wasIn: boolean;
  readonly current: UserRoomRow | undefined;
}

/** Writes what a user is in a room, as far as no later fact has. */
function putMember(
  roomId: RoomId,
  position: Position,
  { change, pdu, content }: CurrentStateEvent,
  { prev, wasIn, current }: MemberBefore,
  rows: OwnRows,
): void {
  const userId = change.state_key as UserId;
  const membership = String(content['membership']);
  const superseded = current !== undefined && current.pos > position;
  const now = superseded ? current.membership : membership;
  if (prev !== undefined && prev !== now) ROOM_MEMBERS.delete(rows, [roomId, prev, userId]);
  if (superseded) return;
  const away = membership === 'leave' || membership === 'ban';
  MEMBERS.put(rows, [roomId, userId], memberRow(position, change.event_id, pdu, content));
  ROOM_MEMBERS.put(rows, [roomId, membership, userId], true);
  USER_ROOMS.put(rows, [userId, roomId], {
    membership,
    event_id: change.event_id,
    pos: position,
    sender: pdu['sender'] as UserId,
    was_in: wasIn ? true : undefined,
    forgotten: away ? current?.forgotten : undefined,
    closed: membership === 'join' ? undefined : current?.closed,
  });
}

/** Of a room that is here, with the user in it, its own events alone say what the user is. */
async function takeTold(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const { position } = fact;
  const userId = userIdOfElsewhere(fact.stream);
  const told = JSON.parse(fact.data) as MembershipTold;
  const { room_id: roomId, membership } = told;
  const current = await USER_ROOMS.get(rows, [userId, roomId]);
  if (current !== undefined && (current.pos > position || current.membership === 'join')) return;
  const { any: before } = await findLastBefore(roomId, userId, position, rows);
  if (before?.membership !== membership) {
    MEMBERSHIP_LOG.put(rows, [roomId, userId, position], { membership, left: before?.left, elsewhere: true });
  }
  const away = membership === 'leave' || membership === 'ban';
  ELSEWHERE.put(rows, [userId, roomId, position], elsewhereRowOf(fact, told));
  USER_ROOMS.put(rows, [userId, roomId], {
    membership,
    event_id: told.event_id,
    pos: position,
    sender: told.pdu['sender'] as UserId,
    was_in: current?.was_in,
    elsewhere: true,
    forgotten: away ? current?.forgotten : undefined,
    closed: current?.closed,
  });
}

/** Lets go of all that was told of rooms that are not here. */
async function endTold({ stream, position }: RecordedFact, rows: OwnRows): Promise<void> {
  const userId = userIdOfElsewhere(stream);
  for await (const page of ELSEWHERE.pages(rows, { prefix: [userId] })) {
    for (const { key } of page) {
      const [, roomId, at] = key;
      if (at > position) continue;
      ELSEWHERE.delete(rows, key);
      const logged = await MEMBERSHIP_LOG.get(rows, [roomId, userId, at]);
      if (logged?.elsewhere === true) MEMBERSHIP_LOG.delete(rows, [roomId, userId, at]);
      const current = await USER_ROOMS.get(rows, [userId, roomId]);
      if (current?.elsewhere === true) USER_ROOMS.delete(rows, [userId, roomId]);
    }
  }
}

/** Of users here also what other servers told of the room before it was here: once it is purged, nothing of that counts. */
async function purge(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const { roomId, users } = purgeOf(fact);
  for (const userId of users) {
    USER_ROOMS.delete(rows, [userId, roomId]);
    await ELSEWHERE.forEach(rows, { prefix: [userId, roomId] }, ({ key }) => ELSEWHERE.delete(rows, key));
  }
  await purgeByRoom(fact, rows, [MEMBERS, ROOM_MEMBERS, MEMBERSHIP_LOG, ROOM_COUNTS, SERVER_LOG]);
}

async function redactMember(reader: RoomFactReader, fact: RecordedFact, rows: OwnRows): Promise<void> {
  const { roomId, data } = reader.redacted(fact);
  const userId = data.pdu['state_key'] as UserId | undefined;
  if (data.pdu['type'] !== 'm.room.member' || typeof userId !== 'string') return;
  const current = await MEMBERS.get(rows, [roomId, userId]);
  if (current?.event_id !== data.event_id) return;
  MEMBERS.put(rows, [roomId, userId], memberRow(current.pos, data.event_id, data.pdu, contentOf(data.pdu)));
}

async function forget(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const userId = userIdOfStream(fact.stream);
  const { room_id: roomId } = JSON.parse(fact.data) as RoomForgotten;
  const row = await USER_ROOMS.get(rows, [userId, roomId]);
  if (row === undefined) return;
  // Joined or invited again since: nothing is forgotten.
  if (row.pos > fact.position || (row.membership !== 'leave' && row.membership !== 'ban')) return;
  USER_ROOMS.put(rows, [userId, roomId], { ...row, forgotten: true, closed: true });
}
