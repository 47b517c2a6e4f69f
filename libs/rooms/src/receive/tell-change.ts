import type { EventId } from '#kernel/ids';
import { each } from '#kernel/steps';
import { inTurns } from '#projections/turn';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import type { RoomEvent } from '#protocol/room-event';
import type { StateTrie } from '#protocol/state-trie/state-trie';
import { changesInSteps } from '../decide/room-state.js';
import type { ChangedState, PduAccepted, PduWithState, StateChange } from '../facts/room-facts.js';
import type { BaseState } from './5-check-state-before.js';
import { getKnown, type KnownRoom } from './known-room.js';

/** A state as the header of a fact tells it, and the base that it is told from. */
export interface ToldState {
  readonly header: Pick<PduWithState, 'base' | 'state' | 'held_before' | 'root'>;
  readonly from: StateTrie;
}

/** Tells a state as a change of the nearest of some bases; of two the first. `base` is left out where that is the first parent. */
export async function tellState(event: RoomEvent, state: StateTrie, bases: readonly BaseState[]): Promise<ToldState> {
  const root = state.rootHash;
  let nearest: { readonly base: BaseState; readonly changes: readonly StateChange[] } | undefined;
  for (const base of bases) {
    const changes = await inTurns(changesInSteps(base.state, state));
    if (nearest === undefined || changes.length < nearest.changes.length) nearest = { base, changes };
  }
  if (nearest === undefined) throw new Error(`nothing to tell the state after ${event.eventId} from`);
  const { base, state: from } = nearest.base;
  const named = base === undefined || base === event.prevEvents[0] ? {} : { base };
  return { header: { ...named, state: nearest.changes, root }, from };
}

/** How an accepted event changed the current state; nothing where the change that its own state is told by says it. */
export async function tellCurrent(
  before: StateTrie,
  after: StateTrie,
  told: ToldState,
): Promise<{ readonly current?: ChangedState }> {
  const root = after.rootHash;
  if (root === told.header.root && told.from.rootHash === before.rootHash) return {};
  return { current: { state: await inTurns(changesInSteps(before, after)), root } };
}

/** The PDUs of the events, older than this one, that a change makes current. */
export async function carryPdus(
  event: RoomEvent,
  changes: readonly StateChange[],
  room: KnownRoom,
): Promise<Pick<PduAccepted, 'state_pdus'>> {
  const ids = changes.flatMap(({ event_id: eventId }) =>
    eventId === null || eventId === event.eventId ? [] : [eventId],
  );
  if (ids.length === 0) return {};
  const known = await room.find(ids);
  const lenient = !room.version.strictCanonicalJson;
  const texts: [EventId, string][] = [];
  const write = (eventId: EventId) =>
    texts.push([eventId, canonicalJson(getKnown(known, eventId).event.pdu, { lenient })]);
  await inTurns(each(ids, write));
  return { state_pdus: Object.fromEntries(texts) };
}
