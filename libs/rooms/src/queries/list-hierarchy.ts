import type { RoomId, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Views } from '#projections/views';
import type { SpacesElsewhere } from '../spaces-elsewhere.js';
import { type HierarchyRoom, HierarchyRooms, type HierarchyStep } from './hierarchy-rooms.js';

export interface HierarchyRequest {
  readonly root: RoomId;
  readonly maxDepth: number;
  /** Only children that their space suggests. */
  readonly suggestedOnly: boolean;
  readonly limit: number;
  /** The last room of the page before. */
  readonly after?: RoomId;
}

export interface HierarchyPage {
  readonly rooms: readonly HierarchyRoom[];
  readonly hasMore: boolean;
}

/** The most rooms of a tree that are walked, and the most children whose rooms are looked up. */
const MAX_ROOMS = 2_000;
const MAX_STEPS = 5_000;

/**
 * The rooms of a space and of the spaces in it, each once, a space before what is in it: client-server API, "Discovering
 * rooms within spaces". Only those that the user is in, may join or knock at, or that the world may read; what is reached
 * through others alone is not walked. Rooms that are not here are asked for, as many as some seconds allow. A page goes on after the last room of the one before, wherever that has moved to; where
 * it is gone, which it may be together with all that were told, it begins anew: nobody is told less than there is. Throws M_FORBIDDEN where the first room is none of these, or unknown.
 */
export async function listHierarchy(
  views: Views,
  userId: UserId,
  request: HierarchyRequest,
  elsewhere?: SpacesElsewhere,
): Promise<HierarchyPage> {
  const { after, limit, suggestedOnly } = request;
  const rooms = new HierarchyRooms(views, userId, suggestedOnly, elsewhere);
  const walked = await walk(rooms, request).finally(() => rooms.end());
  if (walked.length === 0) throw new MatrixError('M_FORBIDDEN', 'You are not allowed to view this room');
  const start = walked.findIndex(({ roomId }) => roomId === after) + 1;
  const page = walked.slice(start, start + limit);
  return { rooms: page, hasMore: start + page.length < walked.length };
}

async function walk(rooms: HierarchyRooms, { root, maxDepth }: HierarchyRequest): Promise<HierarchyRoom[]> {
  const found: HierarchyRoom[] = [];
  const seen = new Set<RoomId>();
  // The next one last.
  const waiting: (HierarchyStep & { readonly depth: number })[] = [{ roomId: root, via: [], depth: 0 }];
  for (let steps = 0; steps < MAX_STEPS && found.length < MAX_ROOMS; steps++) {
    const step = waiting.pop();
    if (step === undefined) break;
    // "it is still possible for loops to occur. Servers should gracefully break loops."
    if (seen.has(step.roomId)) continue;
    seen.add(step.roomId);
    const room = await rooms.find(step);
    if (room === undefined) continue;
    found.push(room);
    if (step.depth >= maxDepth) continue;
    const next = await rooms.childrenOf(room);
    for (const child of next.toReversed()) waiting.push({ ...child, depth: step.depth + 1 });
  }
  return found;
}
