import type { RoomId } from '#kernel/ids';
import type { RoomSummary } from '../projections/room-summary.projector.js';
import type { SpaceChild } from './list-space-children.js';

/** A room as those are told of it who are not in it: client-server API, `RoomSummary` of "Spaces". */
export interface RoomDescription {
  readonly room_id: RoomId;
  readonly num_joined_members: number;
  readonly name?: string;
  readonly topic?: string;
  readonly avatar_url?: string;
  readonly canonical_alias?: string;
  readonly join_rule?: string;
  readonly room_type?: string;
  readonly world_readable: boolean;
  readonly guest_can_join: boolean;
  readonly allowed_room_ids?: readonly string[];
  readonly encryption?: string;
  readonly room_version?: string;
}

/** Describes a room that is here. `joined`: how many are in it. */
export function describeRoom(roomId: RoomId, summary: RoomSummary, joined: number): RoomDescription {
  return {
    room_id: roomId,
    num_joined_members: joined,
    name: summary.name,
    topic: summary.topic,
    avatar_url: summary.avatar_url,
    canonical_alias: summary.canonical_alias,
    join_rule: summary.join_rule,
    room_type: summary.type,
    world_readable: summary.history_visibility === 'world_readable',
    guest_can_join: summary.guest_access === 'can_join',
    allowed_room_ids: summary.allowed_room_ids,
    encryption: summary.encryption,
    room_version: summary.version,
  };
}

/** A description with the events that name the room's children: the specification's `SpaceHierarchyRoomsChunk`, JSON text. */
export function hierarchyRoomText(described: RoomDescription, children: readonly SpaceChild[]): string {
  const states = children.map(({ text }) => text);
  return `${JSON.stringify(described).slice(0, -1)},"children_state":[${states.join()}]}`;
}
