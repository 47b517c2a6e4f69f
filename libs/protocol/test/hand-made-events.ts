import type { EventId, RoomId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { RoomEvent } from '../src/room-event.js';
import { findRoomVersion, ROOM_VERSIONS } from '../src/room-versions/room-versions.js';
import type { RoomVersion } from '../src/room-versions/room-version.js';

/** What a test says of an event; all else has a default. */
export interface EventDraft {
  readonly type: string;
  readonly sender?: string;
  readonly stateKey?: string;
  readonly content?: JsonObject;
  readonly id?: string;
  readonly ts?: number;
  readonly depth?: number;
  readonly prev?: readonly string[];
  readonly auth?: readonly string[];
  readonly redacts?: string;
  readonly roomId?: string;
  /** Further keys of the PDU, for the few rules that look at it. */
  readonly pdu?: JsonObject;
}

export const ALICE = '@alice:example.com';
export const BOB = '@bob:example.com';
export const CAROL = '@carol:elsewhere.com';
export const DAVE = '@dave:elsewhere.com';
export const CREATE_ID = '$create:example.com';

/** An event without hashes and signatures, whose id is symbolic. */
export function makeEvent(draft: EventDraft, version: RoomVersion): RoomEvent {
  const { type, sender = ALICE, stateKey, content = {} } = draft;
  const key = stateKey === undefined ? '' : `-${stateKey}`;
  return Object.freeze({
    eventId: (draft.id ?? `$${type}${key}:example.com`) as EventId,
    roomId: (draft.roomId ?? roomIdOf(version)) as RoomId,
    type,
    sender: sender as UserId,
    stateKey,
    content,
    originServerTs: draft.ts ?? 0,
    depth: draft.depth ?? 0,
    prevEvents: (draft.prev ?? ['$somewhere:example.com']) as EventId[],
    authEvents: (draft.auth ?? []) as EventId[],
    redacts: draft.redacts as EventId | undefined,
    pdu: draft.pdu ?? {},
  });
}

export function roomIdOf(version: RoomVersion): string {
  return version.roomIdIsCreateHash ? `!${CREATE_ID.slice(1)}` : '!room:example.com';
}

/** The create event of the room that `makeEvent` makes events for. */
export function makeCreate(version: RoomVersion, content: JsonObject = {}, draft: Partial<EventDraft> = {}): RoomEvent {
  const creator = version.creatorInContent ? { creator: ALICE } : {};
  return makeEvent(
    {
      type: 'm.room.create',
      stateKey: '',
      content: { room_version: version.id, ...creator, ...content },
      id: CREATE_ID,
      prev: [],
      ...draft,
    },
    version,
  );
}

export function member(user: string, membership: string, draft: Partial<EventDraft> = {}): EventDraft {
  return {
    type: 'm.room.member',
    sender: user,
    stateKey: user,
    ...draft,
    content: { membership, ...draft.content },
  };
}

export function versionOf(id: string): RoomVersion {
  const version = findRoomVersion(id);
  if (version === undefined) throw new Error(`no room version ${id}`);
  return version;
}

/** The specification's room versions from one to another, both included. */
export function versionsBetween(first: number, last: number): RoomVersion[] {
  return ROOM_VERSIONS.filter(({ id }) => Number(id) >= first && Number(id) <= last);
}
