import { type Bound, pageOfList, type PageParameters, type Places, planPage } from '#http/pagination';
import type { RoomAlias, RoomId, ServerName } from '#kernel/ids';
import type { Views } from '#projections/views';
import { ROOM_COUNTS } from '#rooms/projections/membership.projector';
import { ROOMS } from '#rooms/projections/room-summary.projector';
import { ROOM_ALIASES } from '../projections/directory.projector.js';
import { publicRoomOf } from './list-public-rooms.js';
import { listedRooms } from './listed-rooms.js';

/** A public room as API v1 describes it. */
export interface PublicRoomV1 {
  readonly room_id: RoomId;
  readonly aliases: readonly RoomAlias[];
  readonly name?: string;
  readonly topic?: string;
  readonly avatar_url?: string;
  readonly num_joined_members: number;
  readonly world_readable: boolean;
  readonly guest_can_join: boolean;
}

export interface PublicRoomsPageV1 {
  readonly start: string;
  readonly end: string;
  readonly chunk: readonly PublicRoomV1[];
}

/** A room's place in the list: rooms are in the order in which they were made. */
interface Place {
  readonly createdAt: number;
  readonly roomId: RoomId;
}

/** The most rooms of a directory that are listed. */
const MAX_LISTED = 100_000;
const MAX_ALIASES = 100;
const TOKEN = /^r(-?\d{1,16})_([\w-]+)$/;

const PLACES: Places<Place> = {
  find(token) {
    const [, createdAt, room] = TOKEN.exec(token) ?? [];
    if (createdAt === undefined || room === undefined) return undefined;
    return { createdAt: Number(createdAt), roomId: Buffer.from(room, 'base64url').toString() as RoomId };
  },
  compare(a, b) {
    if (a.createdAt !== b.createdAt) return a.createdAt - b.createdAt;
    return a.roomId < b.roomId ? -1 : Number(a.roomId > b.roomId);
  },
};

/**
 * A page of the public rooms, those made first at the START: client-server API v1, "Pagination", whose example is this list.
 * Throws M_BAD_PAGINATION.
 */
export async function listRoomsV1(
  views: Views,
  ours: ServerName,
  parameters: PageParameters,
): Promise<PublicRoomsPageV1> {
  const plan = planPage(parameters, PLACES);
  const listed = await listPlaces(views, ours);
  const { items, start, end } = pageOfList(listed, plan, (place) => place, PLACES);
  return { start: format(start), end: format(end), chunk: await Promise.all(items.map((item) => read(views, item))) };
}

async function listPlaces(views: Views, ours: ServerName): Promise<Place[]> {
  const places: Place[] = [];
  for await (const rooms of listedRooms(views, ours)) {
    const summaries = await ROOMS.getMany(
      views,
      rooms.map((roomId) => [roomId]),
    );
    for (const [i, roomId] of rooms.entries()) {
      const summary = summaries[i];
      if (summary !== undefined) places.push({ roomId, createdAt: within(summary.created_ts) });
    }
    if (places.length >= MAX_LISTED) break;
  }
  return places.toSorted((a, b) => PLACES.compare(a, b));
}

/** What a token can name, whatever the server says that made the room. */
function within(time: number): number {
  return Math.max(-Number.MAX_SAFE_INTEGER, Math.min(time, Number.MAX_SAFE_INTEGER));
}

async function read(views: Views, { roomId }: Place): Promise<PublicRoomV1> {
  const [summary, counts, aliases] = await Promise.all([
    ROOMS.get(views, [roomId]),
    ROOM_COUNTS.get(views, [roomId]),
    ROOM_ALIASES.scan(views, { prefix: [roomId], limit: MAX_ALIASES }),
  ]);
  if (summary === undefined) throw new Error(`${roomId} is listed and has no summary`);
  const room = publicRoomOf(roomId, summary, counts);
  const { name, topic, avatar_url, num_joined_members, world_readable, guest_can_join } = room;
  return {
    room_id: roomId,
    aliases: aliases.map(({ value }) => value),
    name,
    topic,
    avatar_url,
    num_joined_members,
    world_readable,
    guest_can_join,
  };
}

function format(bound: Bound<Place>): string {
  if (bound === 'START' || bound === 'END') return bound;
  return `r${bound.createdAt}_${Buffer.from(bound.roomId).toString('base64url')}`;
}
