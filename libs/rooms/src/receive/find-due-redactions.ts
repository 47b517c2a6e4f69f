import type { EventId } from '#kernel/ids';
import { refuseRedactionEffect } from '#protocol/event-auth/authorize-redaction';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { redact } from '#protocol/redaction/redact';
import type { RoomEvent } from '#protocol/room-event';
import type { StateTrie } from '#protocol/state-trie/state-trie';
import { authStateAt } from './5-check-state-before.js';
import { redactedHereBy } from '../facts/ordered-redaction.js';
import type { KnownEvent, KnownRoom } from './known-room.js';
import type { DueRedaction } from '../decide/decide-event.js';

/**
 * What a redaction that is accepted now does to an event that is here already; nothing where it is not, or the rule forbids it. That
 * it takes effect is told of one too whose event was redacted before: nobody is shown a redaction of which that is not known.
 */
export async function findOwnEffect(
  redaction: RoomEvent,
  before: StateTrie,
  room: KnownRoom,
): Promise<readonly DueRedaction[]> {
  const { redacts } = redaction;
  if (redacts === undefined) return [];
  const target = (await room.find([redacts])).get(redacts);
  if (target === undefined) return [];
  return (await hasEffect(redaction, target.event, before, room)) ? [dueRedaction(redaction, target.event, room)] : [];
}

/** NOTSPEC: so many of those that wait take effect at most, for all of it is one write. The first counts; the others are shown to nobody. */
const MOST_AT_ONCE = 20;

/** What redactions that came before an event do to it, oldest first: those that the rule allows. */
export async function findWaitingRedactions(event: RoomEvent, room: KnownRoom): Promise<readonly DueRedaction[]> {
  const due: DueRedaction[] = [];
  for (const redaction of await room.findRedactionsOf(event.eventId)) {
    if (due.length === MOST_AT_ONCE) break;
    // No state of its own: the state after it is that before it.
    const state = await room.stateAfter(redaction.eventId);
    if (await hasEffect(redaction, event, state, room)) due.push(dueRedaction(redaction, event, room));
  }
  return due;
}

/**
 * What is redacted with an event whose place was not known before (`known`): what redactions do to it, or where it was redacted on this server alone that
 * once more, for what was taken away so does not come back with the whole event.
 */
export async function findRedactionsOnPlacing(
  event: RoomEvent,
  known: KnownEvent | undefined,
  room: KnownRoom,
): Promise<readonly DueRedaction[]> {
  const waiting = await findWaitingRedactions(event, room);
  if (waiting.length > 0 || known?.isRedacted !== true) return waiting;
  const { effect, pduText } = dueRedaction({ ...event, eventId: redactedHereBy(event.eventId) }, event, room);
  return [{ effect: { ...effect, ordered: {} }, pduText }];
}

async function hasEffect(
  redaction: RoomEvent,
  target: RoomEvent,
  before: StateTrie,
  room: KnownRoom,
): Promise<boolean> {
  if (redaction.type !== 'm.room.redaction' || redaction.stateKey !== undefined) return false;
  const state = await authStateAt(redaction, before, new Map(), room);
  return refuseRedactionEffect(redaction, target, state, room.version) === undefined;
}

function dueRedaction({ eventId }: RoomEvent, target: RoomEvent, { version }: KnownRoom): DueRedaction {
  const effect: { event_id: EventId; redacted_by: EventId; room_version: string } = {
    event_id: target.eventId,
    redacted_by: eventId,
    room_version: version.id,
  };
  return { effect, pduText: canonicalJson(redact(target.pdu, version), { lenient: !version.strictCanonicalJson }) };
}
