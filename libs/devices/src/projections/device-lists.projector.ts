import type { RecordedFact } from '#event-store/event-store';
import { type Answer, forEachInOrder, whenThere } from '#kernel/answer';
import type { RoomId, UserId } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import { asJson, asText, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import { purgeByRoom, purgeOf } from '#rooms/projections/purged-rows';
import { type AcceptedFact, currentMembersOf, type RoomFactReader } from '#rooms/projections/room-fact-reader';
import { KEY_CHANGE_TYPES, keyChangeOf } from '../facts/key-changes.js';

/** Whether a user is joined to a room, since a position: START where they never were. */
export interface ListedRoom {
  readonly joined: boolean;
  readonly position: Position;
  /** Of who is not joined: where they were last invited, or that ended. */
  readonly asked?: Position;
  /** They are invited, since that. */
  readonly invited?: true;
}

export const LISTED_ROOMS = new Collection<readonly [userId: UserId, roomId: RoomId], ListedRoom>('device-list-rooms', {
  key: ['user', 'room'],
  says: 'whether they are joined or invited, since a position',
  codec: asJson(),
});

export const LISTED_MOVES = new Collection<
  readonly [roomId: RoomId, position: Position, userId: UserId],
  'join' | 'leave' | 'invite'
>('device-list-moves', {
  key: ['room', 'position', 'user'],
  says: 'that they joined or left last there, or were invited and still are',
  codec: asText(),
});

export const KEY_CHANGES = new Collection<readonly [position: Position], UserId>('key-changes', {
  key: ['position'],
  says: 'whose devices or keys changed last there',
  codec: asText(),
});

export const LAST_KEY_CHANGES = new Collection<readonly [userId: UserId], Position>('last-key-changes', {
  key: ['user'],
  says: 'the position at which their devices or keys changed last',
  codec: asText(),
});

export const KEYS_SEEN = new Collection<readonly [reader: UserId, userId: UserId], Position>('keys-seen', {
  key: ['reader', 'user'],
  says: 'the position at which keys of the user changed last for that reader alone',
  codec: asText(),
});

/**
 * Who has to hear of whose devices: who joined and left which room or is invited, and whose keys changed. Of each user in each room, and of
 * each user's keys, the last change has the one row: a scan behind a token finds it, however long ago that was. A change of keys is one row, and not
 * one in each of the user's rooms.
 */
export function deviceListsProjector(reader: RoomFactReader): Projector {
  return {
    name: 'device-lists',
    version: 3,
    ...owning(LISTED_ROOMS, LISTED_MOVES, KEY_CHANGES, LAST_KEY_CHANGES, KEYS_SEEN),
    handles: (type) =>
      type === 'pdu-accepted' || type === 'state-taken' || type === 'room-purged' || KEY_CHANGE_TYPES.has(type),
    project(fact, rows) {
      if (fact.type === 'room-purged') return purge(fact, rows);
      if (KEY_CHANGE_TYPES.has(fact.type)) return noteKeyChange(fact, rows);
      const accepted = reader.findStateChange(fact);
      return accepted === undefined ? undefined : noteMoves(accepted, fact.position, rows);
    },
  };
}

function purge(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const { roomId, users } = purgeOf(fact);
  for (const userId of users) LISTED_ROOMS.delete(rows, [userId, roomId]);
  return purgeByRoom(fact, rows, [LISTED_MOVES]);
}

function noteMoves(accepted: AcceptedFact, position: Position, rows: OwnRows): Answer<void> {
  const { roomId } = accepted;
  return forEachInOrder(currentMembersOf(accepted), ({ change, content }) => {
    const userId = change.state_key as UserId; // as far as anybody asks for it
    return whenThere(LISTED_ROOMS.get(rows, [userId, roomId]), (before) =>
      noteMove({ roomId, userId, position, membership: content['membership'] }, before, rows),
    );
  });
}

interface Move {
  readonly roomId: RoomId;
  readonly userId: UserId;
  readonly position: Position;
  readonly membership: unknown;
}

function noteMove({ roomId, userId, position, membership }: Move, before: ListedRoom | undefined, rows: OwnRows): void {
  const { joined: wasIn, position: since, asked, invited: wasInvited = false } = before ?? NEVER;
  // Applied before, and maybe a newer one since.
  if (before !== undefined && (since >= position || (asked !== undefined && asked >= position))) return;
  const [isIn, isInvited] = [membership === 'join', membership === 'invite'];
  if (wasIn === isIn && wasInvited === isInvited) return;
  if (asked !== undefined && wasInvited) LISTED_MOVES.delete(rows, [roomId, asked, userId]);
  if (wasIn === isIn) {
    if (isInvited) LISTED_MOVES.put(rows, [roomId, position, userId], 'invite');
    LISTED_ROOMS.put(rows, [userId, roomId], {
      joined: isIn,
      position: since,
      asked: position,
      ...(isInvited ? { invited: true } : {}),
    });
    return;
  }
  if (before !== undefined) LISTED_MOVES.delete(rows, [roomId, since, userId]);
  LISTED_MOVES.put(rows, [roomId, position, userId], isIn ? 'join' : 'leave');
  LISTED_ROOMS.put(rows, [userId, roomId], { joined: isIn, position });
}

const NEVER: ListedRoom = Object.freeze({ joined: false, position: START });

async function noteKeyChange(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const { position } = fact;
  const { userId, seenBy } = keyChangeOf(fact) ?? {};
  if (userId !== undefined) {
    const before = await LAST_KEY_CHANGES.get(rows, [userId]);
    if (before === undefined || before < position) {
      if (before !== undefined) KEY_CHANGES.delete(rows, [before]);
      KEY_CHANGES.put(rows, [position], userId);
      LAST_KEY_CHANGES.put(rows, [userId], position);
    }
  }
  for (const of of seenBy?.users ?? []) {
    const key = [seenBy!.reader, of] as const;
    const before = await KEYS_SEEN.get(rows, key);
    if (before === undefined || before < position) KEYS_SEEN.put(rows, key, position);
  }
}
