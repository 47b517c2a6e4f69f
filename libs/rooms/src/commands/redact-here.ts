import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { mayPass } from '#kernel/may-pass';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { redact } from '#protocol/redaction/redact';
import type { Pdu, RoomEvent } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import type { EventDraft } from '../decide/decide-event.js';
import { type OrderedRedaction, redactedHereBy } from '../facts/ordered-redaction.js';
import { contentOf } from '../facts/pdu-fields.js';
import type { RoomTurn } from '../worker/room-turn.js';
import { refuseEffect } from './redaction.js';

/** State of which a room is none the worse if one server does not have it. */
const WITHOUT_RULES: ReadonlySet<string> = new Set([
  'm.room.member',
  'm.room.name',
  'm.room.topic',
  'm.room.avatar',
  'm.room.pinned_events',
]);

/** Whether rules of the room read an event: this server is not to be the only one without it. */
export function isReadByRules({ type, stateKey }: Pick<RoomEvent, 'type' | 'stateKey'>): boolean {
  return stateKey !== undefined && type.startsWith('m.') && !WITHOUT_RULES.has(type);
}

/**
 * Whether state stays as it is where a user is erased who set it, for the room goes by it and not the user: rules, whoever reads them, and what
 * clients and bots keep of a room (lists of bans, bridges, widgets). Not what says something of the user, whose id its key begins with, nor what people write.
 */
export function staysWithRoom({ type, stateKey }: Pick<RoomEvent, 'type' | 'stateKey'>, userId: UserId): boolean {
  return stateKey !== undefined && !WITHOUT_RULES.has(type) && !isKeyOf(stateKey, userId);
}

/** Before the id may stand `_`, for the rules let only its owner set what begins with an id (MSC3757, and calls before it). */
function isKeyOf(stateKey: string, userId: UserId): boolean {
  const key = stateKey.startsWith('_') ? stateKey.slice(1) : stateKey;
  // Else it may be the name of a longer server.
  return key.startsWith(userId) && !/^[A-Za-z0-9.:-]/.test(key.slice(userId.length));
}

/** Whether a redaction would take anything away of an event's content. */
export function losesByRedaction(pdu: Pdu, version: RoomVersion): boolean {
  const text = (of: Pdu): string => canonicalJson(contentOf(of), { lenient: true });
  return text(redact(pdu, version)) !== text(pdu);
}

/** Whether the sender of a redaction may send it, and it would take effect. */
export async function mayRedact(turn: RoomTurn, draft: EventDraft, event: RoomEvent): Promise<boolean> {
  try {
    await turn.authorise(draft);
  } catch (error) {
    if (error instanceof MatrixError && !mayPass(error)) return false;
    throw error;
  }
  return (await refuseEffect(turn, draft, event)) === undefined;
}

/** Redacts on this server alone: other servers have the event as it was, and ours goes on knowing it by its id. */
export function redactHere(turn: RoomTurn, event: RoomEvent, ordered: OrderedRedaction): void {
  const { version } = turn.head;
  const redacted_by = redactedHereBy(event.eventId);
  turn.redact({ event_id: event.eventId, redacted_by, ordered, room_version: version.id }, redact(event.pdu, version));
}
