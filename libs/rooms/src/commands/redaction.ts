import { type EventId, parseEventId, type RoomId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import type { Views } from '#projections/views';
import { levelNeeded, powerLevelOf } from '#protocol/event-auth/power-levels';
import { refuseRedactionEffect } from '#protocol/event-auth/authorize-redaction';
import { redact } from '#protocol/redaction/redact';
import type { RoomEvent } from '#protocol/room-event';
import { canBeEventId } from '#protocol/signing/reference-hash';
import { ROOM_MEMBERS } from '../projections/membership.projector.js';
import type { EventDraft } from '../decide/decide-event.js';
import { findPlaces } from '../reading/event-rows.js';
import { findEventFor } from '../queries/get-event.js';
import type { RoomTurn } from '../worker/room-turn.js';
import { refuseRedactionOfSuspended } from './refuse-state-of-suspended.js';
import { sendOnce, type Transaction } from './transaction.js';

/** An event that is to be redacted. */
export interface RedactionTarget {
  readonly eventId: EventId;
  /** The revision of the fact that holds it; undefined where this room shows nobody such an event. */
  readonly revision: number | undefined;
  /** Whether who redacts it may see it. */
  readonly isSeen: boolean;
  /**
   * Whether others than users of this server are, or were, in the room: an event that is not here may come from their servers. PERF:
   * goes through the room's members, so that it is asked for those alone who may redact.
   */
  mayCome(): Promise<boolean>;
}

/** The event a redaction's content names; M_MISSING_PARAM where it names none. */
export function parseRedactionTarget(content: JsonObject): EventId {
  if (content['redacts'] === undefined) throw new MatrixError('M_MISSING_PARAM', 'content.redacts is missing');
  return parseEventId(content['redacts']);
}

/**
 * Looks for an event of this room. That there is none is told, not thrown: it is for those alone who may send the redaction.
 */
export async function findRedactionTarget(
  views: Views,
  roomId: RoomId,
  eventId: EventId,
  userId: UserId,
): Promise<RedactionTarget> {
  const [place] = await findPlaces(views, roomId, [eventId]);
  const mayCome = (): Promise<boolean> => hasHeardOfOthers(views, roomId, serverNameOf(userId));
  if (place === undefined) return { eventId, revision: undefined, isSeen: false, mayCome };
  const isSeen = (await findEventFor(views, roomId, eventId, userId)) !== undefined;
  return { eventId, revision: place.revision, isSeen, mayCome };
}

async function hasHeardOfOthers(views: Views, roomId: RoomId, here: ServerName): Promise<boolean> {
  for await (const rows of ROOM_MEMBERS.pages(views, { prefix: [roomId] })) {
    if (rows.some(({ key: [, , member] }) => serverNameOf(member) !== here)) return true;
  }
  return false;
}

/**
 * One answer for events that there are not, that another room has, or that were sent when the user was not to see them: by
 * trying to redact an event nobody learns where it is.
 */
function noSuchEvent(): MatrixError {
  return new MatrixError('M_INVALID_PARAM', 'The room has no such event, or not for you');
}

/** Sends the redaction and lets it take effect, in one turn; or once the event comes (`findWaitingRedactions`) that is not here. */
export function redactInTurn(
  turn: RoomTurn,
  requester: Requester,
  target: RedactionTarget,
  content: JsonObject,
  transaction: Transaction | undefined,
): Promise<EventId> {
  return sendOnce(turn, transaction, async () => {
    const draft = { ...draftRedaction(turn, requester.userId, target.eventId, content), txn: transaction?.txn };
    await turn.authorise(draft);
    const event = await findTarget(turn, requester, target);
    refuseRedactionOfSuspended(requester, event?.sender);
    if (event === undefined) return turn.send(draft);
    const refusal = await refuseEffect(turn, draft, event);
    if (refusal !== undefined) throw new MatrixError('M_FORBIDDEN', refusal);
    return acceptRedaction(turn, draft, event);
  });
}

/** A redaction of an event, in the form of the room's version. */
export function draftRedaction(turn: RoomTurn, sender: UserId, eventId: EventId, content: JsonObject): EventDraft {
  const { redactsInContent } = turn.head.version;
  return {
    type: 'm.room.redaction',
    sender,
    content: redactsInContent ? { ...content, redacts: eventId } : withoutRedacts(content),
    redacts: redactsInContent ? undefined : eventId,
  };
}

/** Why a redaction would take no effect on an event that is here; undefined where it would. */
export async function refuseEffect(turn: RoomTurn, draft: EventDraft, event: RoomEvent): Promise<string | undefined> {
  const { roomId, eventId } = event;
  const asEvent = { ...draft, stateKey: undefined, roomId, redacts: eventId };
  return refuseRedactionEffect(asEvent, event, await turn.powerLevels(), turn.head.version);
}

/** Sends a redaction of an event that is here, and lets it take effect. The caller has asked whether it may. Throws M_FORBIDDEN. */
export async function acceptRedaction(turn: RoomTurn, draft: EventDraft, event: RoomEvent): Promise<RoomEvent> {
  const { version } = turn.head;
  const decided = await turn.decide(draft);
  if (decided.redactions !== undefined) {
    // It stands on another state than that of now, by which other servers judge it too.
    if (decided.header.takes_effect !== true) throw new MatrixError('M_FORBIDDEN', 'It would take no effect');
    return turn.accept(decided);
  }
  const redaction = turn.accept({ ...decided, header: { ...decided.header, takes_effect: true } });
  const effect = { event_id: event.eventId, redacted_by: redaction.eventId, room_version: version.id };
  turn.redact(effect, redact(event.pdu, version));
  return redaction;
}

/**
 * The event that is to be redacted; undefined where it is not here, and may come. The rule for events of one server is stricter than the
 * room's own ("Handling redactions" lets a server redact all that its users sent): a user redacts the user's own events, or needs the
 * level. Whoever has that may redact what nobody here is shown too, as soft-failed events are, and what has not come: it is heard of from
 * servers that do show it.
 */
async function findTarget(
  turn: RoomTurn,
  { userId }: Requester,
  { eventId, revision, isSeen, mayCome }: RedactionTarget,
): Promise<RoomEvent | undefined> {
  const shown = revision === undefined ? undefined : await turn.eventAt(revision, eventId);
  if (shown?.sender === userId) return shown;
  const state = await turn.powerLevels();
  const { version } = turn.head;
  if (powerLevelOf(userId, state, version) < levelNeeded('redact', state, version)) {
    if (shown === undefined || !isSeen) throw noSuchEvent();
    throw new MatrixError('M_FORBIDDEN', 'You need the redact power level to redact events of others');
  }
  const event = shown ?? (await turn.known.find([eventId])).get(eventId)?.event;
  if (event === undefined && !(canBeEventId(eventId, version) && (await mayCome()))) throw noSuchEvent();
  return event;
}

function withoutRedacts(content: JsonObject): JsonObject {
  const { redacts: _, ...rest } = content;
  return rest;
}
