import type { EventId } from '#kernel/ids';
import { selectAuthTypes } from '#protocol/event-auth/select-auth-types';
import type { RoomEvent } from '#protocol/room-event';
import { buildEvent, checkDraftAuth, type EventAuthor, type EventDraft } from '../decide/decide-event.js';
import { depthOfNext, parentsOfNext } from '../decide/room-head.js';
import { referenceWriter } from '../decide/write-references.js';
import { judgeOwn } from './judge-own.js';
import { getKnown, type KnownExtremity, type KnownRoom } from './known-room.js';
import type { Accepted } from './outcome.js';
import { resolveStates } from './resolve-states.js';

/**
 * Decides an event of ours in a room that has more extremities than an event may name, so that it stands on some of them and others stay
 * open: the state before it is not the current one, and it is judged as if it came from elsewhere. Where all can be named,
 * `decideEvent` does it without a look at the rest of the room. Throws M_FORBIDDEN where the state before it or the current one
 * does not allow it, and as `buildEvent` does.
 */
export async function decideAmongMany(
  room: KnownRoom,
  draft: EventDraft,
  author: EventAuthor,
  now: number,
): Promise<Accepted> {
  const { roomId, version, createEvent } = room;
  if (createEvent === undefined) throw new Error(`${roomId} has no create event`);
  const parents = parentsOfNext({ state: room.state, extremities: await inOrderFor(draft, room) });
  const known = await room.find(parents);
  const depth = Math.min(
    parents.reduce((most, eventId) => Math.max(most, getKnown(known, eventId).event.depth), 0),
    Number.MAX_SAFE_INTEGER,
  );
  const auth = await findAuth(room, parents, draft);
  const extremities = parents.map((eventId) => ({ eventId }));
  checkDraftAuth(roomId, { version, createEvent, depth, extremities }, draft, auth, author);
  const events = new Map<EventId, RoomEvent>(auth.map((event) => [event.eventId, event]));
  for (const [eventId, { event }] of known) events.set(eventId, event);
  const references = { auth, write: referenceWriter(version, events) };
  const place = { parents, depth: depthOfNext(depth), references };
  const { event, pduText } = buildEvent(roomId, version, draft, place, author, now);
  return judgeOwn({ event, pduText, origin: author.serverName, txn: draft.txn }, room);
}

/**
 * The extremities in the order in which a draft is to stand on them: first those after which its authorising events of the current state
 * hold, or somebody who joined last could neither say anything nor leave; then those open for longest.
 */
async function inOrderFor(draft: EventDraft, room: KnownRoom): Promise<readonly KnownExtremity[]> {
  const first = new Set<KnownExtremity>();
  let wanted = selectAuthTypes({ ...draft, stateKey: draft.stateKey }, room.version).flatMap(({ type, stateKey }) => {
    const eventId = room.state.get(type, stateKey);
    return eventId === undefined ? [] : { type, stateKey, eventId };
  });
  for (const one of room.extremities) {
    if (wanted.length === 0) break;
    const state = await room.stateAfter(one.eventId);
    const left = wanted.filter(({ type, stateKey, eventId }) => state.get(type, stateKey) !== eventId);
    if (left.length < wanted.length) first.add(one);
    wanted = left;
  }
  return [...first, ...room.extremities.filter((one) => !first.has(one))];
}

/** The events by which a draft that stands on some others is authorised. */
async function findAuth(room: KnownRoom, parents: readonly EventId[], draft: EventDraft): Promise<RoomEvent[]> {
  const states = await Promise.all(parents.map((eventId) => room.stateAfter(eventId)));
  const before = await resolveStates(states, room);
  const keys = selectAuthTypes(draft, room.version);
  const ids = keys.flatMap(({ type, stateKey }) => (before.get(type, stateKey) as EventId | undefined) ?? []);
  const found = await room.find(ids);
  return ids.map((eventId) => getKnown(found, eventId).event);
}
