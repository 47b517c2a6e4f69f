import type { RoomId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { scanPages } from '#projections/scan-pages';
import type { Views } from '#projections/views';
import type { RoomCounts } from '#rooms/projections/membership.projector';
import type { RoomSummary } from '#rooms/projections/room-summary.projector';

/** A room in the public directory, as today's API has it. */
export interface PublicRoom {
  readonly room_id: RoomId;
  readonly num_joined_members: number;
  readonly name?: string;
  readonly topic?: string;
  readonly avatar_url?: string;
  readonly canonical_alias?: string;
  readonly join_rule: string;
  readonly room_type?: string;
  readonly world_readable: boolean;
  readonly guest_can_join: boolean;
}

export interface PublicRoomsRequest {
  readonly limit?: number;
  /** A `next_batch` or `prev_batch` of an earlier page. */
  readonly since?: string;
  /** Only rooms whose name, topic or canonical alias holds this text, in any case. */
  readonly term?: string;
  /** Only rooms of these types; null stands for rooms without a type. */
  readonly types?: readonly (string | null)[];
}

export interface PublicRoomsPage {
  readonly chunk: readonly PublicRoom[];
  readonly next_batch?: string;
  readonly prev_batch?: string;
  readonly total_room_count_estimate: number;
}

/** The most rooms of a directory that are listed. */
const MAX_LISTED = 100_000;
const TOKEN = /^p(\d{1,9})$/;

/** Every listed room, the largest first. */
export async function allPublicRooms(views: Views): Promise<PublicRoom[]> {
  const rooms: PublicRoom[] = [];
  for await (const page of scanPages(views, 'public-rooms', {})) {
    const keys = page.map(({ key }) => [key[0] as RoomId]);
    const [summaries, counts] = await Promise.all([views.getMany('rooms', keys), views.getMany('room-counts', keys)]);
    keys.forEach(([roomId], i) => {
      const summary = summaries[i];
      if (roomId === undefined || summary === undefined) return;
      rooms.push(publicRoomOf(roomId, JSON.parse(summary) as RoomSummary, counts[i]));
    });
    if (rooms.length >= MAX_LISTED) break;
  }
  return rooms.toSorted((a, b) => b.num_joined_members - a.num_joined_members || (a.room_id < b.room_id ? -1 : 1));
}

/** A page of the public directory: client-server API, "Published room directory". Throws M_INVALID_PARAM. */
export async function listPublicRooms(views: Views, request: PublicRoomsRequest): Promise<PublicRoomsPage> {
  const offset = offsetOf(request.since);
  const rooms = (await allPublicRooms(views)).filter((room) => matches(room, request));
  // No limit and the limit 0 both mean all that there is.
  const limit = request.limit || rooms.length;
  const chunk = rooms.slice(offset, offset + limit);
  return {
    chunk,
    ...(offset + limit < rooms.length ? { next_batch: `p${offset + limit}` } : {}),
    ...(offset > 0 ? { prev_batch: `p${Math.max(0, offset - limit)}` } : {}),
    total_room_count_estimate: rooms.length,
  };
}

/** The entry of a room in the directory. `counts` is its row of `room-counts`. */
export function publicRoomOf(roomId: RoomId, summary: RoomSummary, counts: string | undefined): PublicRoom {
  const { name, topic, avatar_url, canonical_alias, type } = summary;
  return {
    room_id: roomId,
    num_joined_members: counts === undefined ? 0 : (JSON.parse(counts) as RoomCounts).joined,
    name,
    topic,
    avatar_url,
    canonical_alias,
    join_rule: summary.join_rule,
    room_type: type,
    world_readable: summary.history_visibility === 'world_readable',
    guest_can_join: summary.guest_access === 'can_join',
  };
}

function matches(room: PublicRoom, { term, types }: PublicRoomsRequest): boolean {
  if (types !== undefined && !types.includes(room.room_type ?? null)) return false;
  if (term === undefined || term === '') return true;
  const wanted = term.toLowerCase();
  return [room.name, room.topic, room.canonical_alias].some((text) => text?.toLowerCase().includes(wanted) === true);
}

function offsetOf(since: string | undefined): number {
  if (since === undefined) return 0;
  const [, offset] = TOKEN.exec(since) ?? [];
  if (offset === undefined) throw new MatrixError('M_INVALID_PARAM', 'since: not a token of this list');
  return Number(offset);
}
