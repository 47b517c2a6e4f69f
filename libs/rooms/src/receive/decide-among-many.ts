import type { EventId } from '#kernel/ids';
import { selectAuthTypes } from '#protocol/event-auth/select-auth-types';
import type { RoomEvent } from '#protocol/room-event';
import { buildEvent, checkDraftAuth, type EventAuthor, type EventDraft } from '../decide/decide-event.js';
import { depthOfNext, parentsOfNext } from '../decide/room-head.js';
import { referenceWriter } from '../decide/write-references.js';
import { judgeOwn } from './judge-own.js';
import { getKnown, type KnownRoom } from './known-room.js';
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
  const parents = parentsOfNext(room);
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

/** The events by which a draft that stands on some others is authorised. */
async function findAuth(room: KnownRoom, parents: readonly EventId[], draft: EventDraft): Promise<RoomEvent[]> {
  const states = await Promise.all(parents.map((eventId) => room.stateAfter(eventId)));
  const before = await resolveStates(states, room);
  const keys = selectAuthTypes(draft, room.version);
  const ids = keys.flatMap(({ type, stateKey }) => (before.get(type, stateKey) as EventId | undefined) ?? []);
  const found = await room.find(ids);
  return ids.map((eventId) => getKnown(found, eventId).event);
}
