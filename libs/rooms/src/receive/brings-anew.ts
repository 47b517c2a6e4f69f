import { type EventId, type ServerName, serverNameOf } from '#kernel/ids';
import { each } from '#kernel/steps';
import { inTurns } from '#projections/turn';
import type { RoomEvent } from '#protocol/room-event';
import type { StateTrie } from '#protocol/state-trie/state-trie';
import type { StateBefore } from './5-check-state-before.js';
import { getKnown, type KnownRoom } from './known-room.js';

const MEMBER = 'm.room.member';
/** How many member events are asked for at once. */
const BATCH = 200;

/**
 * Whether an event brings anew a room that this server had left: somebody here joins it, nobody here was in the room meanwhile, and the
 * room ended here with something that the join does not stand on: another server told the state behind a gap, or does not count
 * among its ends that users here left, as where that came to it after a kick, or a gap of before had left open here what somebody was in
 * the room, and is no more. What the room ended with here is then no part of it any more
 * that anything hangs on: nobody of ours has written to it since, and others go on from the join. Where somebody here is in the
 * room, what they wrote may be told nowhere else, and both are resolved as after any gap; so is what others have done that the join does not
 * stand on, or a ban would be gone by a join that was made before it, and so are leaves of which the other server had yet to hear.
 */
export async function bringsAnew(event: RoomEvent, before: StateBefore, room: KnownRoom): Promise<boolean> {
  const { ours, extremities } = room;
  if (ours === undefined || extremities.length === 0 || !isJoinOf(event, ours)) return false;
  if (!before.isLearnt && !(await standsBesideOver(event, before, { server: ours, room }))) return false;
  if (await isAnybodyIn(ours, room.state, room)) return false;
  // Who else of ours is in it by what was told has left here, for nobody else says that they are.
  return !before.isLearnt || !(await isAnybodyIn(ours, before.state, room, event.stateKey));
}

/**
 * Whether a room has other ends than what an event stands on, and all of these count for nothing there: memberships that have gone on since,
 * and leaves of users of a server.
 */
async function standsBesideOver(
  { prevEvents }: RoomEvent,
  { state }: StateBefore,
  { server, room }: { readonly server: ServerName; readonly room: KnownRoom },
): Promise<boolean> {
  const beside = room.extremities.map(({ eventId }) => eventId).filter((id) => !prevEvents.includes(id));
  if (beside.length === 0) return false;
  const known = await room.find(beside);
  for (const id of beside) {
    const { event } = getKnown(known, id);
    const isOver = isOwnOf(event, server, 'leave') && (await isOvertaken(event, state, room));
    if (!isOver && !(await isGoneOn(event, state, room))) return false;
  }
  return true;
}

/**
 * Whether what a state has of a user rests on an event about their membership: then it came before that, as a ban before who was banned is
 * let in again, though a gap keeps from seeing it. In rooms of version 1 a ban that is resolved once more would undo that.
 */
async function isGoneOn(
  { type, eventId, depth, stateKey = '' }: RoomEvent,
  state: StateTrie,
  room: KnownRoom,
): Promise<boolean> {
  if (type !== MEMBER) return false;
  for (let at = state.get(MEMBER, stateKey); at !== undefined;) {
    if (at === eventId) return true;
    const { event } = getKnown(await room.find([at]), at);
    if (event.depth <= depth) return false;
    at = (await findMemberEvent(event.authEvents, stateKey, room))?.eventId;
  }
  return false;
}

/**
 * Whether a state has of a user something else that came of the membership which they ended by leaving, as that they were kicked. Where
 * it has that membership, or one before it, what it is the state of was made before anybody there had heard of the leave.
 */
async function isOvertaken(
  { authEvents, stateKey = '' }: RoomEvent,
  state: StateTrie,
  room: KnownRoom,
): Promise<boolean> {
  const ended = await findMemberEvent(authEvents, stateKey, room);
  if (ended === undefined) return false;
  for (let at = state.get(MEMBER, stateKey); at !== undefined && at !== ended.eventId;) {
    const { event } = getKnown(await room.find([at]), at);
    if (event.depth <= ended.depth) return false;
    if (event.authEvents.includes(ended.eventId)) return true;
    at = (await findMemberEvent(event.authEvents, stateKey, room))?.eventId;
  }
  return false;
}

/** That of some events which is about the membership of a user. */
async function findMemberEvent(
  eventIds: readonly EventId[],
  userId: string,
  room: KnownRoom,
): Promise<RoomEvent | undefined> {
  const known = await room.find(eventIds);
  return [...known.values()].map(({ event }) => event).find((one) => one.type === MEMBER && one.stateKey === userId);
}

/** Whether an event is the join of a user of a server. */
export function isJoinOf(event: RoomEvent, server: ServerName): boolean {
  return isOwnOf(event, server, 'join');
}

function isOwnOf({ type, sender, stateKey, content }: RoomEvent, server: ServerName, membership: string): boolean {
  const isOwn = type === MEMBER && stateKey === sender && serverNameOf(sender) === server;
  return isOwn && content['membership'] === membership;
}

/** Whether a user of a server is in a room by a state, `but` left out. */
async function isAnybodyIn(server: ServerName, state: StateTrie, room: KnownRoom, but?: string): Promise<boolean> {
  const members: EventId[] = [];
  const note = ({ type, stateKey, eventId }: { type: string; stateKey: string; eventId: EventId }): void => {
    if (type === MEMBER && stateKey !== but && stateKey.endsWith(`:${server}`)) members.push(eventId);
  };
  await inTurns(each(state.entries(), note));
  for (let at = 0; at < members.length; at += BATCH) {
    const ids = members.slice(at, at + BATCH);
    const known = await room.find(ids);
    if (ids.some((id) => getKnown(known, id).event.content['membership'] === 'join')) return true;
  }
  return false;
}
