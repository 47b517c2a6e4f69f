import { extremitiesAfter } from '../facts/told-extremities.js';
import { type EventId, serverNameOf } from '#kernel/ids';
import { authStateOf } from '#protocol/event-auth/auth-state';
import { mayChangeVisibility, visibilityChangeOf } from '#protocol/message-visibility';
import type { RoomEvent } from '#protocol/room-event';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import type { EventsById } from '#protocol/state-resolution/events-by-id';
import type { StateTrie } from '#protocol/state-trie/state-trie';
import { changesBetween } from '../decide/room-state.js';
import type { StateLearnt } from '../facts/join-facts.js';
import {
  heldBefore,
  historyVisibilityOf,
  type PduAccepted,
  type PduWithState,
  type StateChange,
} from '../facts/room-facts.js';
import { isJoinOf } from '../receive/brings-anew.js';

/** What is wrong with what became of an event, by why the rules refuse it. */
export function outcomeProblems({ eventId }: RoomEvent, refusal: string | undefined, isRejected: boolean): string[] {
  if (refusal === undefined) return isRejected ? [`${eventId}: rejected, though the rules allow it`] : [];
  return isRejected ? [] : [`${eventId}: not authorised by the state before it: ${refusal}`];
}

/** What is wrong with what the fact of an event says of the states before and after it. `base`: the one that its change is told from. */
export function stateProblems(
  event: RoomEvent,
  { type, body }: { readonly type: string; readonly body: PduWithState & Pick<PduAccepted, 'moderates'> },
  { base, before, after }: Readonly<Record<'before' | 'after', StateTrie>> & { readonly base: StateTrie | undefined },
  events: EventsById,
): string[] {
  const { eventId } = event;
  const problems = [
    ...visibilityProblems(body, before, events),
    ...moderationProblems(event, type, body, before, events),
  ];
  if (base !== undefined && !isSameChange(changesBetween(base, after), body.state)) {
    problems.push(`${eventId}: the state delta is not its own effect`);
  } else if (type !== 'pdu-rejected') problems.push(...heldBeforeProblems(event, body, before));
  if (after.rootHash !== body.root) {
    problems.push(`${eventId}: the state after it has the root ${after.rootHash}, not ${body.root}`);
  }
  return problems;
}

/** What is wrong with an event of the state that a join brought, and with what its fact says that it changes. */
export function takenProblems(
  entry: StateLearnt['state'][number],
  changes: readonly StateChange[],
  events: EventsById,
): string[] {
  const [type, stateKey, eventId] = entry;
  const problems = learntProblems(entry, events).map((problem) => `the current state ${problem}`);
  const own = [{ type, state_key: stateKey, event_id: eventId }];
  return isSameChange(own, changes) ? problems : [`${eventId}: the state delta is not its own effect`, ...problems];
}

/** What is wrong with what is told of its key in the state before it. */
function heldBeforeProblems({ eventId, type, stateKey }: RoomEvent, body: PduWithState, before: StateTrie): string[] {
  const held = stateKey === undefined ? undefined : before.get(type, stateKey);
  const told = heldBefore(body);
  return told === held
    ? []
    : [`${eventId}: its key was held by ${held ?? 'nothing'} before it, not ${told ?? 'nothing'}`];
}

/** What is wrong with an entry of a state that is told, by the events that are here. */
export function learntProblems([type, stateKey, eventId]: StateLearnt['state'][number], events: EventsById): string[] {
  const event = events.get(eventId);
  if (event === undefined) return [`names ${eventId}, not here`];
  if (events.rejectionOf(eventId) !== undefined) return [`names ${eventId}, which is rejected`];
  return event.type === type && event.stateKey === stateKey ? [] : [`has ${eventId} under a key that is not its own`];
}

/** What is wrong with the forward extremities that are told after an event. `before`: those before it. */
export function extremityProblems(
  body: PduAccepted,
  before: readonly EventId[],
  expected: readonly EventId[],
): string[] {
  const told = extremitiesAfter(before, body);
  return told.toSorted().join() === expected.toSorted().join()
    ? []
    : [`${body.event_id}: the extremities after it are ${expected.join(', ')}, not ${told.join(', ')}`];
}

/**
 * What is wrong with what is told of the room's current state after an event: `event` is the state that its change is told from,
 * where that is known, and the one after it; `current` the room's before and after it.
 */
export function currentProblems(
  { event_id: eventId, current: told }: PduAccepted,
  event: { readonly base: StateTrie | undefined; readonly after: StateTrie },
  current: { readonly before: StateTrie; readonly after: StateTrie },
): string[] {
  const { base } = event;
  if (told === undefined) {
    const isSame = event.after.rootHash === current.after.rootHash && base?.rootHash === current.before.rootHash;
    return isSame || base === undefined ? [] : [`${eventId}: changes the current state otherwise, which is not told`];
  }
  const problems: string[] = [];
  if (told.root !== current.after.rootHash) {
    problems.push(`${eventId}: the current state after it has the root ${current.after.rootHash}, not ${told.root}`);
  }
  if (!isSameChange(changesBetween(current.before, current.after), told.state)) {
    problems.push(`${eventId}: what it changed in the current state is not its effect`);
  }
  return problems;
}

/** Whether two lists of changes are the same in whatever order. */
export function isSameChange(expected: readonly StateChange[], told: readonly StateChange[]): boolean {
  const texts = (changes: readonly StateChange[]): string =>
    changes
      .map(({ type, state_key: key, event_id: id, replaces }) => JSON.stringify([type, key, id, replaces]))
      .sort()
      .join();
  return texts(expected) === texts(told);
}

/** What is wrong with the history visibility that is told of an event: that of the state before it. */
function visibilityProblems(body: PduWithState, before: StateTrie, events: EventsById): string[] {
  const key = before.get('m.room.history_visibility', '');
  const visibility = historyVisibilityOf((key && events.get(key)?.content) ?? {});
  if (body.visibility === visibility) return [];
  return [`${body.event_id}: the history visibility at it is ${visibility}, not ${body.visibility}`];
}

/** What is wrong with what is told of the power of an event that hides or shows another. Of what was erased nobody can tell that it did. */
function moderationProblems(
  event: RoomEvent,
  type: string,
  { room_version: id, moderates }: Pick<PduAccepted, 'room_version' | 'moderates'>,
  before: StateTrie,
  events: EventsById,
): string[] {
  const version = findRoomVersion(id);
  if (type !== 'pdu-accepted' || version === undefined || visibilityChangeOf(event) === undefined) return [];
  const held = ['m.room.create', 'm.room.power_levels'].flatMap((key) => {
    const eventId = before.get(key, '');
    return (eventId && events.get(eventId)) ?? [];
  });
  const may = mayChangeVisibility(event.sender, authStateOf(held), version);
  if (may === (moderates === true)) return [];
  return [`${event.eventId}: its sender ${may ? 'may' : 'may not'} hide and show events, which is told otherwise`];
}

/** Whether an event brought the room anew, as its fact says: a join of a server nobody of whom was in the room. */
export function isAnew(event: RoomEvent, { anew }: PduAccepted, current: StateTrie, events: EventsById): boolean {
  const server = serverNameOf(event.sender);
  if (anew !== true || !isJoinOf(event, server)) return false;
  for (const { type, stateKey, eventId } of current.entries()) {
    const isOfServer = type === 'm.room.member' && stateKey.endsWith(`:${server}`);
    if (isOfServer && events.get(eventId)?.content['membership'] === 'join') return false;
  }
  return true;
}
