import type { RecordedFact } from '#event-store/event-store';
import { type LogBegun, SERVER_STREAM } from '#event-store/log-identity';
import { type Answer, forEachInOrder, whenThere } from '#kernel/answer';
import { isUserId, type RoomId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { asJson, asMark, asText, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import { type MembershipTold, userIdOfElsewhere } from '../facts/elsewhere-facts.js';
import { purgeByRoom, purgeOf } from './purged-rows.js';
import { currentMembersOf, type RoomFactReader } from './room-fact-reader.js';

/** Whether somebody has to do with a room: is in it, invited or knocks, be it by the word of another server. */
export type OwnStanding = 'in' | 'out';

/** The users of this server who ever had to do with a room, and the position since which they do, or do not. */
export const OWN_STAYS = new Collection<readonly [roomId: RoomId, standing: OwnStanding, userId: UserId], Position>(
  'own-stays',
  {
    key: ['room', 'in or out', 'user'],
    says: 'since when a user of this server is in the room, invited or knocks, or is no more',
    codec: asText(),
  },
);

/** A room that is here. */
export interface OwnRoom {
  /** Since when nobody of this server has to do with it, in milliseconds since the epoch. */
  readonly since?: number;
}

export const OWN_ROOMS = new Collection<readonly [roomId: RoomId], OwnRoom>('own-rooms', {
  key: ['room'],
  says: 'that the room is here, and since when nobody of this server has to do with it',
  codec: asJson(),
});

/** Those that nobody has to do with: what has been so the longest comes first. */
export const DESERTED_ROOMS = new Collection<readonly [since: string, roomId: RoomId], true>('deserted-rooms', {
  key: ['moment, with leading zeros', 'room'],
  says: 'that since then nobody of this server has to do with the room',
  codec: asMark,
});

/** What this server is called, as the log says it. */
const OWN_NAME = new Collection<readonly [log: string], ServerName>('deserted-own-name', {
  key: ['`server`'],
  says: 'what this server is called',
  codec: asText(),
});

const HANDLED: ReadonlySet<string> = new Set([
  'pdu-accepted',
  'state-taken',
  'membership-told',
  'room-purged',
  'log-begun',
]);
const THERE: ReadonlySet<unknown> = new Set(['join', 'invite', 'knock']);

/** As the keys of DESERTED_ROOMS begin. */
const keyOfMoment = (at: number): string => String(at).padStart(15, '0');

/** In which rooms nobody of this server is any more, and since when. PERF: a message costs nothing, a change of membership some look-ups. */
export function desertedRoomsProjector(reader: RoomFactReader): Projector {
  return {
    name: 'deserted-rooms',
    version: 1,
    ...owning(OWN_STAYS, OWN_ROOMS, DESERTED_ROOMS, OWN_NAME),
    handles: (type) => HANDLED.has(type),
    project(fact, rows) {
      if (fact.type === 'log-begun') {
        const { server_name: name } = JSON.parse(fact.data) as LogBegun; // written by `nameLog`
        if (name !== undefined) OWN_NAME.put(rows, [SERVER_STREAM], name);
        return undefined;
      }
      if (fact.type === 'room-purged') return purge(fact, rows);
      if (fact.type === 'membership-told') return takeTold(fact, rows);
      const changed = reader.findStateChange(fact);
      const members = changed === undefined ? [] : currentMembersOf(changed);
      if (members.length === 0) return undefined;
      const { roomId } = changed!;
      return whenThere(OWN_NAME.get(rows, [SERVER_STREAM]), (ours) =>
        forEachInOrder(members, ({ change: { state_key: userId }, content }) => {
          if (!isUserId(userId) || (ours !== undefined && serverNameOf(userId) !== ours)) return;
          return move({ roomId, userId, isThere: THERE.has(content['membership']), isInRoom: true }, fact, rows);
        }),
      );
    },
  };
}

interface Move {
  readonly roomId: RoomId;
  readonly userId: UserId;
  readonly isThere: boolean;
  /** The room itself says so. */
  readonly isInRoom: boolean;
}

/** What other servers tell of a room counts as what the room does: who is invited may be about to come back. */
function takeTold(fact: RecordedFact, rows: OwnRows): Answer<void> {
  const { room_id: roomId, membership } = JSON.parse(fact.data) as MembershipTold;
  const userId = userIdOfElsewhere(fact.stream);
  return move({ roomId, userId, isThere: THERE.has(membership), isInRoom: false }, fact, rows);
}

async function move({ roomId, userId, isThere, isInRoom }: Move, fact: RecordedFact, rows: OwnRows): Promise<void> {
  const { position, metadata } = fact;
  const [now, before] = isThere ? (['in', 'out'] as const) : (['out', 'in'] as const);
  const was = await OWN_STAYS.get(rows, [roomId, before, userId]);
  const is = await OWN_STAYS.get(rows, [roomId, now, userId]);
  // Applied before, and maybe a newer one since.
  if ((was ?? is ?? '') >= position) return;
  if (was !== undefined) OWN_STAYS.delete(rows, [roomId, before, userId]);
  OWN_STAYS.put(rows, [roomId, now, userId], position);
  const room = await OWN_ROOMS.get(rows, [roomId]);
  // Of a room that is not here nothing can be let go of.
  if (room === undefined && !isInRoom) return;
  const left = await OWN_STAYS.scan(rows, { prefix: [roomId, 'in'], limit: 1 });
  const since = left.length > 0 ? undefined : (room?.since ?? metadata.at);
  if (room?.since !== undefined && room.since !== since) DESERTED_ROOMS.delete(rows, [keyOfMoment(room.since), roomId]);
  if (since !== undefined) DESERTED_ROOMS.put(rows, [keyOfMoment(since), roomId], true);
  OWN_ROOMS.put(rows, [roomId], { since });
}

/** Who had to do with it is known until the last step, which names them. */
async function purge(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const { roomId, isLast } = purgeOf(fact);
  const room = await OWN_ROOMS.get(rows, [roomId]);
  if (room?.since !== undefined) DESERTED_ROOMS.delete(rows, [keyOfMoment(room.since), roomId]);
  if (!isLast) return;
  OWN_ROOMS.delete(rows, [roomId]);
  await purgeByRoom(fact, rows, [OWN_STAYS]);
}
