import type { EventStore } from '#event-store/event-store';
import { evolveWaiting, INBOUND_STREAM, NOBODY_WAITS, type WaitingPdu } from '#federation/facts/inbound-facts';
import { namedIds } from '#federation/receive/told-pdu';
import { findRefusals } from '#federation/refusals/read-refusals';
import type { EventId, RoomId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import {
  type EventFact,
  type ExplainedEvent,
  explainEvent,
  findRoomsOf,
  type NamedEvent,
} from '#rooms/audit/explain-event';
import { type Check, fail, ok, warn } from '../doctor/check.js';
import { moment, visible } from '../terminal/units.js';
import { refusalCheck } from './refusal-checks.js';

const SHOWN_TO_NOBODY = 'it has its place in the room, where others may stand on it, and nobody is shown it';

/**
 * What became of an event, by the log alone: in its rooms, or in the one that is named; whether it waits for others, or others for it; and
 * whether it was refused lately before it was kept.
 */
export async function explainChecks(store: EventStore, eventId: EventId, roomId?: RoomId): Promise<Check[]> {
  const checks: Check[] = [];
  for (const room of roomId === undefined ? await findRoomsOf(store, eventId) : [roomId]) {
    const explained = await explainEvent(store, room, eventId);
    if (explained !== undefined) checks.push(...explainedChecks(explained));
  }
  const waiting = await listWaiting(store);
  const own = waiting.filter((one) => one.eventId === eventId && (roomId === undefined || one.roomId === roomId));
  checks.push(...own.map((one) => waitingCheck(one)));
  const refused = await findRefusals(store, (one) => {
    return one.event_id === eventId && one.reason !== undefined && (roomId === undefined || one.room_id === roomId);
  });
  checks.push(...refused.map((one) => refusalCheck(one, `by ${one.server}: ${one.reason}`)));
  if (checks.length === 0) {
    const text = 'unknown here: it is in no room, waits for nothing, and was not refused lately';
    return [fail('event', text, 'its server may not have sent it, or to another one')];
  }
  const behind = waiting.filter((one) => namesIn(one).includes(eventId));
  return [...checks, ...behindChecks(behind)];
}

function explainedChecks({ roomId, facts, isRedacted, authEvents, parents }: ExplainedEvent): Check[] {
  const last = facts.at(-1)!;
  const { sender, origin_server_ts: made } = last.pdu;
  const event = `${nameOf(last.pdu)} of ${String(sender)} in ${roomId}, made at ${moment(Number(made))} as it says`;
  return [
    ok('event', visible(event)),
    ...facts.map(cameCheck),
    outcomeCheck(last),
    ...(isRedacted ? [ok('redacted', 'a redaction took its content away, and why it was refused if it was')] : []),
    ...authEvents.map((one) => namedCheck('auth event', one)),
    ...parents.map((one) => namedCheck('parent', one)),
  ];
}

function cameCheck({ origin, transaction, outcome, at, revision }: EventFact): Check {
  const how = outcome === 'outlier' ? ' as part of an auth chain or of a state' : '';
  const state = outcome === 'state' ? ' with the state at a join' : '';
  const from = origin === undefined ? 'made here' : `from ${origin}${how}${state}`;
  const sent = transaction === undefined ? '' : ` in transaction ${transaction}`;
  return ok('came', visible(`${from}${sent}, at ${moment(at)} (revision ${revision})`));
}

function outcomeCheck({ outcome, check, reason, isOfThePast, isRejected }: EventFact): Check {
  const why = reason === undefined ? '' : `: ${visible(reason)}`;
  switch (outcome) {
    case 'accepted':
      return ok('outcome', isOfThePast ? 'accepted, as an event of the past: it changes nothing of now' : 'accepted');
    case 'soft-failed':
      return warn(
        'outcome',
        `soft-failed: allowed where it stands, and not by the room as it was then${why}`,
        SHOWN_TO_NOBODY,
      );
    case 'rejected':
      return warn(
        'outcome',
        `rejected by ${check === 'state' ? 'the state before it' : 'its auth events'}${why}`,
        SHOWN_TO_NOBODY,
      );
    case 'state':
      return ok('outcome', 'part of the state that a join brought');
    case 'outlier':
      return isRejected
        ? warn('outcome', `rejected by its auth events${why}`, 'it has no place in the history here')
        : ok('outcome', 'it has no place in the history here: others rest on it');
  }
}

function namedCheck(name: string, { eventId, fact }: NamedEvent): Check {
  if (fact === undefined) return warn(`${name} ${eventId}`, 'not here', 'it is asked for where an event waits for it');
  const { outcome, isRejected, revision, pdu } = fact;
  const became = isRejected ? 'rejected' : outcome === 'state' ? 'accepted' : outcome;
  return ok(
    `${name} ${eventId}`,
    visible(`${became}: ${nameOf(pdu)} of ${String(pdu['sender'])} (revision ${revision})`),
  );
}

function nameOf({ type, state_key: stateKey }: JsonObject): string {
  return typeof stateKey === 'string' && stateKey !== '' ? `${String(type)} (${stateKey})` : String(type);
}

function waitingCheck({ roomId, origin, transaction, at }: WaitingPdu): Check {
  const sent = transaction === undefined ? '' : ` in transaction ${transaction}`;
  const text = `waits for what it misses in ${roomId}, from ${origin}${sent}, since ${moment(at)}`;
  return warn('outcome', visible(text), 'what it names is asked for until it is there, for some seven hours');
}

function behindChecks(waiting: readonly WaitingPdu[]): Check[] {
  if (waiting.length === 0) return [ok('waits for it', 'nothing')];
  return waiting.map(({ eventId, origin, at }) =>
    warn('waits for it', visible(`${eventId} from ${origin}, since ${moment(at)}`), 'it is tried again by itself'),
  );
}

/** All events that wait for others, oldest first. */
async function listWaiting(store: EventStore): Promise<WaitingPdu[]> {
  let waiting = NOBODY_WAITS;
  for await (const fact of store.readStream(INBOUND_STREAM)) waiting = evolveWaiting(waiting, fact);
  return [...waiting.values()];
}

/** The events that one names. What another server sent may be anything. */
function namesIn({ text }: WaitingPdu): EventId[] {
  const pdu = JSON.parse(text) as JsonObject; // written from an object
  return [...namedIds(pdu['auth_events']), ...namedIds(pdu['prev_events'])];
}
