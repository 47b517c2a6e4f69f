import type { RoomId } from '#kernel/ids';
import type { RoomSummary } from '../projections/room-summary.projector.js';
import type { SpaceChild } from './list-space-children.js';
import { renderStripped } from './render-event.js';

/** A room and what there is to tell of it. */
export interface DescribedRoom {
  readonly roomId: RoomId;
  readonly summary: RoomSummary;
  readonly joined: number;
}

/** A room as members of a space are told of it: client-server API, `RoomSummary` of "Spaces". */
export function describeRoom({ roomId, summary, joined }: DescribedRoom): object {
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

/** The same, with the events that name its children: the specification's `SpaceHierarchyRoomsChunk`, JSON text. */
export function hierarchyRoomText(room: DescribedRoom & { readonly children: readonly SpaceChild[] }): string {
  const states = room.children.map(
    ({ row }) =>
      `${renderStripped(row, room.roomId).slice(0, -1)},"origin_server_ts":${JSON.stringify(row.header.sentAt)}}`,
  );
  return `${JSON.stringify(describeRoom(room)).slice(0, -1)},"children_state":[${states.join()}]}`;
}
