import type { RoomId, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Views } from '#projections/views';
import { ROOM_COUNTS } from '../projections/membership.projector.js';
import { type RoomSummary, ROOMS } from '../projections/room-summary.projector.js';
import { findMembership } from '../reading/find-membership.js';
import { mayKnowOf } from '../reading/may-know-of.js';
import { listSpaceChildren, type SpaceChild } from './list-space-children.js';

export interface HierarchyRequest {
  readonly root: RoomId;
  readonly maxDepth: number;
  /** Only children that their space suggests. */
  readonly suggestedOnly: boolean;
  readonly limit: number;
  /** The last room of the page before. */
  readonly after?: RoomId;
}

/** A room of the tree, with what there is to tell of it. */
export interface HierarchyRoom {
  readonly roomId: RoomId;
  readonly summary: RoomSummary;
  readonly joined: number;
  /** Of a space. */
  readonly children: readonly SpaceChild[];
}

export interface HierarchyPage {
  readonly rooms: readonly HierarchyRoom[];
  readonly hasMore: boolean;
}

interface Step {
  readonly roomId: RoomId;
  readonly depth: number;
}

/** The most rooms of a tree that are walked, and the most children whose rooms are looked up. */
const MAX_ROOMS = 2_000;
const MAX_STEPS = 5_000;

/**
 * The rooms of a space and of the spaces in it, each once, a space before what is in it: client-server API, "Discovering
 * rooms within spaces". Only those that the user is in, may join or knock at, or that the world may read; what is reached
 * through others alone is not walked. A page goes on after the last room of the one before, wherever that has moved to; where
 * it is gone, which it may be together with all that were told, it begins anew: nobody is told less than there is. Throws M_FORBIDDEN where the first room is none of these, or unknown.
 */
export async function listHierarchy(views: Views, userId: UserId, request: HierarchyRequest): Promise<HierarchyPage> {
  const { after, limit } = request;
  const walked = await walk(views, userId, request);
  if (walked.length === 0) throw new MatrixError('M_FORBIDDEN', 'You are not allowed to view this room');
  const start = walked.findIndex(({ roomId }) => roomId === after) + 1;
  const rooms = walked.slice(start, start + limit);
  return { rooms, hasMore: start + rooms.length < walked.length };
}

async function walk(
  views: Views,
  userId: UserId,
  { root, maxDepth, suggestedOnly }: HierarchyRequest,
): Promise<HierarchyRoom[]> {
  const found: HierarchyRoom[] = [];
  const seen = new Set<RoomId>();
  // The next one last.
  const waiting: Step[] = [{ roomId: root, depth: 0 }];
  for (let steps = 0; steps < MAX_STEPS && found.length < MAX_ROOMS; steps++) {
    const step = waiting.pop();
    if (step === undefined) break;
    // "it is still possible for loops to occur. Servers should gracefully break loops."
    if (seen.has(step.roomId)) continue;
    seen.add(step.roomId);
    const room = await findRoom(views, userId, step.roomId, suggestedOnly);
    if (room === undefined) continue;
    found.push(room);
    if (step.depth >= maxDepth) continue;
    for (const { roomId } of room.children.toReversed()) waiting.push({ roomId, depth: step.depth + 1 });
  }
  return found;
}

async function findRoom(
  views: Views,
  userId: UserId,
  roomId: RoomId,
  suggestedOnly: boolean,
): Promise<HierarchyRoom | undefined> {
  const summary = await ROOMS.get(views, [roomId]);
  if (summary === undefined) return undefined;
  const membership = await findMembership(views, roomId, userId);
  if (!(await mayKnowOf(views, summary, userId, membership))) return undefined;
  const counts = await ROOM_COUNTS.get(views, [roomId]);
  const children = summary.type === 'm.space' ? await listSpaceChildren(views, roomId) : [];
  return {
    roomId,
    summary,
    joined: counts?.joined ?? 0,
    children: suggestedOnly ? children.filter(({ isSuggested }) => isSuggested) : children,
  };
}
