import type { StateChange } from '../facts/room-facts.js';
import type { RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import { userIdOfStream } from '#kernel/user-stream';
import type { JsonObject } from '#kernel/json';
import type { Position } from '#kernel/position';
import type { OwnRows, Projector } from '#projections/projector';
import type { RoomForgotten } from '../facts/room-facts.js';
import {
  contentOf,
  currentStateOf,
  type CurrentStateEvent,
  deletedStateOf,
  type RoomFactReader,
} from './room-fact-reader.js';

/** A row of `members`: [room, user]. */
export interface MemberRow {
  readonly membership: string;
  readonly event_id: EventId;
  readonly pos: Position;
  readonly sender: UserId;
  readonly displayname?: string;
  readonly avatar_url?: string;
  readonly reason?: string;
}

/** A row of `user-rooms`: [user, room]. */
export interface UserRoomRow {
  readonly membership: string;
  readonly event_id: EventId;
  readonly pos: Position;
  readonly sender: UserId;
  /** The membership that the event before set. */
  readonly prev?: string;
  /** The user wants to hear of it no more. Only beside `leave` and `ban`. */
  readonly forgotten?: true;
  /** The user forgot the room and has not joined it since: what was there before is closed to them, invited again or not. */
  readonly closed?: true;
}

/** A row of `membership-log`: [room, user, position]: from here on the user's membership is this. Only where it changes. */
export interface MembershipLogRow {
  readonly membership: string;
  /** Where the user's last stay up to here ended: the first change to anything else after a join. */
  readonly left?: Position;
}

/** A row of `room-counts`: [room]. */
export interface RoomCounts {
  readonly joined: number;
  readonly invited: number;
  readonly pos: Position;
}

/**
 * `members`, `room-members`, `user-rooms`, `membership-log`, `room-counts`: who is what in which room, from each side, and
 * when it changed.
 */
export function membershipProjector(reader: RoomFactReader): Projector {
  return {
    name: 'membership',
    version: 2,
    collections: ['members', 'room-members', 'user-rooms', 'membership-log', 'room-counts'],
    handles: (type) =>
      type === 'pdu-accepted' || type === 'state-taken' || type === 'pdu-redacted' || type === 'room-forgotten',
    project(fact, rows) {
      if (fact.type === 'room-forgotten') return forget(fact, rows);
      if (fact.type === 'pdu-redacted') return redactMember(reader, fact, rows);
      const accepted = reader.findStateChange(fact);
      if (accepted === undefined) return undefined;
      const gone = deletedStateOf(accepted).flatMap(asLeft);
      const members = [...currentStateOf(accepted), ...gone].filter((it) => it.change.type === 'm.room.member');
      return members.length === 0 ? undefined : applyMembers(accepted.roomId, fact.position, members, rows);
    },
  };
}

/** A membership that nothing says any more, as resolution may leave it: whoever it was of is out of the room. */
function asLeft(change: StateChange): CurrentStateEvent[] {
  const { replaces, state_key: userId } = change;
  if (replaces === undefined) return [];
  return [{ change: { ...change, event_id: replaces }, pdu: { sender: userId }, content: { membership: 'leave' } }];
}

async function applyMembers(
  roomId: RoomId,
  position: Position,
  members: readonly CurrentStateEvent[],
  rows: OwnRows,
): Promise<void> {
  let joined = 0;
  let invited = 0;
  for (const member of members) {
    const [before, after] = await applyMember(roomId, position, member, rows);
    joined += Number(after === 'join') - Number(before === 'join');
    invited += Number(after === 'invite') - Number(before === 'invite');
  }
  const text = await rows.get('room-counts', [roomId]);
  const counts = text === undefined ? undefined : (JSON.parse(text) as RoomCounts);
  // A fact that is applied again must not count again.
  if (counts !== undefined && (counts.pos >= position || (joined === 0 && invited === 0))) return;
  const next: RoomCounts = {
    joined: (counts?.joined ?? 0) + joined,
    invited: (counts?.invited ?? 0) + invited,
    pos: position,
  };
  rows.put('room-counts', [roomId], JSON.stringify(next));
}

/** Writes the rows of one member; answers the membership before and after. */
async function applyMember(
  roomId: RoomId,
  position: Position,
  { change, pdu, content }: CurrentStateEvent,
  rows: OwnRows,
): Promise<[before: string | undefined, after: string]> {
  const userId = change.state_key;
  const membership = String(content['membership']);
  // The membership before comes from the log of memberships and not from the row of now, which may already be this fact's
  // or a later one's when facts are applied again.
  const before = change.replaces === undefined ? undefined : await lastBefore(roomId, userId, position, rows);
  const prev = before?.membership;
  if (prev !== membership) {
    const left = membership === 'join' ? undefined : prev === 'join' ? position : before?.left;
    const row: MembershipLogRow = { membership, left };
    rows.put('membership-log', [roomId, userId, position], JSON.stringify(row));
  }
  const text = await rows.get('user-rooms', [userId, roomId]);
  const current = text === undefined ? undefined : (JSON.parse(text) as UserRoomRow);
  const superseded = current !== undefined && current.pos > position;
  const now = superseded ? current.membership : membership;
  if (prev !== undefined && prev !== now) rows.delete('room-members', [roomId, prev, userId]);
  if (superseded) return [prev, membership];
  const away = membership === 'leave' || membership === 'ban';
  rows.put('members', [roomId, userId], memberRow(position, change.event_id, pdu, content));
  rows.put('room-members', [roomId, membership, userId], '');
  putUserRoom(rows, userId, roomId, {
    membership,
    event_id: change.event_id,
    pos: position,
    sender: pdu['sender'] as UserId,
    prev,
    forgotten: away ? current?.forgotten : undefined,
    closed: membership === 'join' ? undefined : current?.closed,
  });
  return [prev, membership];
}

async function lastBefore(
  roomId: RoomId,
  userId: string,
  position: Position,
  rows: OwnRows,
): Promise<MembershipLogRow | undefined> {
  const before = [roomId, userId, position];
  const [last] = await rows.scan('membership-log', { prefix: [roomId, userId], before, reverse: true, limit: 1 });
  return last === undefined ? undefined : (JSON.parse(last.value) as MembershipLogRow);
}

/** One order of keys, whatever happened before: a rebuilt row must be the same text. */
function putUserRoom(rows: OwnRows, userId: string, roomId: RoomId, row: UserRoomRow): void {
  const { membership, event_id, pos, sender, prev, forgotten, closed } = row;
  const ordered: UserRoomRow = { membership, event_id, pos, sender, prev, forgotten, closed };
  rows.put('user-rooms', [userId, roomId], JSON.stringify(ordered));
}

function memberRow(position: Position, eventId: EventId, pdu: JsonObject, content: JsonObject): string {
  const row: MemberRow = {
    membership: String(content['membership']),
    event_id: eventId,
    pos: position,
    sender: pdu['sender'] as UserId,
    displayname: textOf(content['displayname']),
    avatar_url: textOf(content['avatar_url']),
    reason: textOf(content['reason']),
  };
  return JSON.stringify(row);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

async function redactMember(reader: RoomFactReader, fact: RecordedFact, rows: OwnRows): Promise<void> {
  const { roomId, data } = reader.redacted(fact);
  const userId = data.pdu['state_key'];
  if (data.pdu['type'] !== 'm.room.member' || typeof userId !== 'string') return;
  const text = await rows.get('members', [roomId, userId]);
  if (text === undefined) return;
  const current = JSON.parse(text) as MemberRow;
  if (current.event_id !== data.event_id) return;
  rows.put('members', [roomId, userId], memberRow(current.pos, data.event_id, data.pdu, contentOf(data.pdu)));
}

async function forget(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const userId = userIdOfStream(fact.stream);
  const { room_id: roomId } = JSON.parse(fact.data) as RoomForgotten;
  const text = await rows.get('user-rooms', [userId, roomId]);
  if (text === undefined) return;
  const row = JSON.parse(text) as UserRoomRow;
  // Joined or invited again since: nothing is forgotten.
  if (row.pos > fact.position || (row.membership !== 'leave' && row.membership !== 'ban')) return;
  putUserRoom(rows, userId, roomId, { ...row, forgotten: true, closed: true });
}
