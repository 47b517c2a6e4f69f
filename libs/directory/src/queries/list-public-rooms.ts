import type { RoomId, ServerName } from '#kernel/ids';
import type { Views } from '#projections/views';
import { ROOM_COUNTS, type RoomCounts } from '#rooms/projections/membership.projector';
import { type RoomSummary, ROOMS } from '#rooms/projections/room-summary.projector';
import { listedRooms, type Network } from './listed-rooms.js';
import {
  comparePublicRooms,
  countBefore,
  formatPublicRoomsToken,
  parsePublicRoomsToken,
  type PublicRoomsToken,
} from './public-rooms-token.js';

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
  /** For another server: without the rooms that only users of this one can be in. */
  readonly isForServer?: boolean;
  /** Rooms of a network that is bridged to the server, or of all with the server's own; left out: the server's own. */
  readonly network?: Network;
}

export interface PublicRoomsPage {
  readonly chunk: readonly PublicRoom[];
  readonly next_batch?: string;
  readonly prev_batch?: string;
  readonly total_room_count_estimate: number;
}

/** The most rooms of a directory that are listed. */
const MAX_LISTED = 100_000;

/** Every listed room, the largest first. */
async function allPublicRooms(
  views: Views,
  ours: ServerName,
  { isForServer = false, network }: PublicRoomsRequest,
): Promise<PublicRoom[]> {
  const rooms: PublicRoom[] = [];
  for await (const page of listedRooms(views, ours, network)) {
    const keys = page.map((roomId) => [roomId] as const);
    const [summaries, counts] = await Promise.all([ROOMS.getMany(views, keys), ROOM_COUNTS.getMany(views, keys)]);
    keys.forEach(([roomId], i) => {
      const summary = summaries[i];
      if (summary === undefined || (isForServer && !summary.federate)) return;
      rooms.push(publicRoomOf(roomId, summary, counts[i]));
    });
    if (rooms.length >= MAX_LISTED) break;
  }
  return rooms.toSorted(comparePublicRooms);
}

/**
 * A page of the public directory, the largest rooms first: client-server API, "Published room directory". A token names the
 * room that a page ended or began with, by its place in the order: rooms that come and go elsewhere in the list between two
 * pages hide no other and show none twice. Throws M_INVALID_PARAM.
 */
export async function listPublicRooms(
  views: Views,
  ours: ServerName,
  request: PublicRoomsRequest,
): Promise<PublicRoomsPage> {
  const since = request.since === undefined ? undefined : parsePublicRoomsToken(request.since);
  const rooms = (await allPublicRooms(views, ours, request)).filter((room) => matches(room, request));
  // No limit and the limit 0 both mean all that there is.
  const limit = request.limit || rooms.length;
  const [begin, end] = boundsOf(rooms, since, limit);
  return {
    chunk: rooms.slice(begin, end),
    ...tokensOf(rooms, begin, end),
    total_room_count_estimate: rooms.length,
  };
}

/** Which part of the list a page is: the indices of its first room and of the one after its last. */
function boundsOf(
  rooms: readonly PublicRoom[],
  since: PublicRoomsToken | undefined,
  limit: number,
): readonly [begin: number, end: number] {
  const at = since === undefined ? 0 : countBefore(rooms, since);
  return since?.direction === 'prev' ? [Math.max(0, at - limit), at] : [at, Math.min(at + limit, rooms.length)];
}

/** The tokens of a page. Also an empty one has them, beside what is nearest: who turns round there misses nothing. */
function tokensOf(
  rooms: readonly PublicRoom[],
  begin: number,
  end: number,
): Pick<PublicRoomsPage, 'next_batch' | 'prev_batch'> {
  const token = (direction: PublicRoomsToken['direction'], side: PublicRoomsToken['side'], at: number): string => {
    const place = rooms[at] as PublicRoom; // a page that has more on one side has a room there
    return formatPublicRoomsToken({ direction, side, place });
  };
  return {
    ...(end < rooms.length && { next_batch: end > 0 ? token('next', 'after', end - 1) : token('next', 'before', 0) }),
    ...(begin > 0 && {
      prev_batch: begin < rooms.length ? token('prev', 'before', begin) : token('prev', 'after', begin - 1),
    }),
  };
}

/** The entry of a room in the directory. `counts` is its row of `room-counts`. */
export function publicRoomOf(roomId: RoomId, summary: RoomSummary, counts: RoomCounts | undefined): PublicRoom {
  const { name, topic, avatar_url, canonical_alias, type } = summary;
  return {
    room_id: roomId,
    num_joined_members: counts?.joined ?? 0,
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
