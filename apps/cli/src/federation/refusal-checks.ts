import type { EventStore } from '#event-store/event-store';
import type { RefusalKind } from '#federation/facts/refusal-facts';
import { type RefusalOf, refusalsOf } from '#federation/refusals/read-refusals';
import type { EventId, RoomId, ServerName } from '#kernel/ids';
import { findReasons } from '#rooms/audit/explain-event';
import { type Check, ok, warn } from '../doctor/check.js';
import { count, moment, visible } from '../terminal/units.js';

/** So many are told. */
const MOST = 20;

const ADVICE: Readonly<Record<RefusalKind, string>> = {
  event: 'nothing is kept of it',
  rejected: 'it has its place in the room, where others may stand on it, and nobody is shown it',
  'soft-failed': 'it has its place in the room, where others may stand on it, and nobody is shown it',
  'given-up': 'it is asked for again with what comes after it in its room',
  edu: 'nothing is kept of it',
  invitation: 'the user was told nothing of it',
  request: 'anybody can say to be a server: where it was that one, see the keys above, and its clock',
};

/** What was refused of a server lately, as the log tells it. */
export async function checkRefusals(store: EventStore, server: ServerName): Promise<Check[]> {
  const { refusals, further } = await refusalsOf(store, server);
  if (refusals.length === 0) return [ok('refused', 'nothing lately')];
  const told = refusals.slice(-MOST);
  const reasons = await reasonsOf(store, told);
  const before = refusals.length - told.length + further;
  const checks = told.map((one) => refusalCheck(one, one.reason ?? reasons.get(one.event_id as EventId)));
  return before === 0 ? checks : [ok('refused', `${count(before)} more that are not told`), ...checks];
}

/** Something that was refused, as a check. */
export function refusalCheck(refusal: RefusalOf, reason: string | undefined): Check {
  const { kind, at, room_id: roomId, event_id: eventId, txn_id: txnId } = refusal;
  const what = eventId ?? (kind === 'edu' ? 'an EDU' : 'a request');
  const place = roomId === undefined ? '' : ` in ${roomId}`;
  const came = txnId === undefined ? '' : `, transaction ${txnId}`;
  const text = `${kind}: ${what}${place}${came}${reason === undefined ? '' : `: ${reason}`}`;
  return warn(`refused ${moment(at)}`, visible(text), ADVICE[kind]);
}

/** Of events that are in their room why is said there. */
async function reasonsOf(store: EventStore, refusals: readonly RefusalOf[]): Promise<ReadonlyMap<EventId, string>> {
  const rooms = new Map<RoomId, EventId[]>();
  for (const { reason, room_id: roomId, event_id: eventId } of refusals) {
    if (reason !== undefined || roomId === undefined || eventId === undefined) continue;
    rooms.set(roomId as RoomId, [...(rooms.get(roomId as RoomId) ?? []), eventId as EventId]);
  }
  const reasons = new Map<EventId, string>();
  for (const [roomId, eventIds] of rooms) {
    for (const [eventId, reason] of await findReasons(store, roomId, eventIds)) reasons.set(eventId, reason);
  }
  return reasons;
}
