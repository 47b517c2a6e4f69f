import type { EventId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Position } from '#kernel/position';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { stickinessOf } from '#protocol/stickiness';
import { depthOf, redactionTargetOf } from '../facts/pdu-fields.js';
import { type HistoryVisibility, historyVisibilityOf, type PduRedacted } from '../facts/room-facts.js';
import { formatRow, parseRow, type RowHeader } from './timeline-row.js';

/** What a row is made of. */
export interface RowSource {
  readonly event_id: EventId;
  readonly position: Position;
  /** When the fact was written, in milliseconds since the epoch; left out of member events. */
  readonly receivedAt?: number;
  readonly visibility: HistoryVisibility;
  /** The event whose place it took in the state before it, where it is known. */
  readonly replaces?: EventId;
  readonly txn?: { readonly device_id: string; readonly txn_id: string };
  readonly room_version: string;
  readonly pdu: JsonObject;
  readonly lenient: boolean;
  readonly isHistory?: boolean;
  readonly isAfterGap?: boolean;
  readonly isResolved?: boolean;
  readonly isAside?: boolean;
  readonly isAgain?: boolean;
}

/** Makes the row of an event. */
export function timelineRowOf(source: RowSource): string {
  const { event_id, position, visibility, replaces, txn, room_version, pdu, lenient } = source;
  const { isHistory, isAfterGap, isResolved, isAside, isAgain, receivedAt } = source;
  const type = pdu['type'] as string;
  const stateKey = pdu['state_key'] as string | undefined;
  const { content, redacts } = servedContent(pdu, room_version);
  const isVisibility = type === 'm.room.history_visibility' && stateKey === '';
  const isMember = type === 'm.room.member' && stateKey !== undefined;
  const header: RowHeader = {
    eventId: event_id,
    type,
    sender: pdu['sender'] as UserId,
    sentAt: Number(pdu['origin_server_ts']),
    arrivedAt: stateKey === undefined && isAhead(pdu, receivedAt) ? receivedAt : undefined,
    depth: depthOf(pdu),
    position,
    visibility,
    stateKey,
    setsVisibility: isVisibility ? historyVisibilityOf(content) : undefined,
    membership: isMember ? String(content['membership']) : undefined,
    replaces,
    redacts,
    deviceId: txn?.device_id,
    txnId: txn?.txn_id,
    isHistory,
    isAfterGap,
    isResolved,
    isAside,
    isAgain,
    sticky: receivedAt === undefined ? undefined : stickinessOf(pdu, receivedAt),
    lenient,
  };
  return formatRow(header, contentJson(content, lenient));
}

/** Whether an event says to have been sent after it came, or at no time. */
function isAhead({ origin_server_ts: sentAt }: JsonObject, receivedAt: number | undefined): boolean {
  return receivedAt !== undefined && !(Number(sentAt) <= receivedAt);
}

/** The row once a redaction took effect: the same header with `redactedBy`, the content of what remains. Of several the first counts. */
export function redactedRowOf(
  row: string,
  by: EventId,
  { pdu, room_version: version }: Pick<PduRedacted, 'pdu' | 'room_version'>,
): string {
  const { header } = parseRow(row);
  const redactedBy = header.redactedBy ?? by;
  const { content, redacts } = servedContent(pdu, version);
  const setsVisibility = header.setsVisibility === undefined ? undefined : historyVisibilityOf(content);
  const redacted = { ...header, setsVisibility, redacts, redactedBy, sticky: undefined };
  return formatRow(redacted, contentJson(content, header.lenient === true));
}

/** The row of an event that is hidden by another one; undefined: by none any more. */
export function hiddenRowOf(row: string, hiddenBy: EventId | undefined): string {
  const { header, content } = parseRow(row);
  return formatRow({ ...header, hiddenBy }, content);
}

/** The row of an event before which events are missing, though its parents are here. */
export function afterGapRowOf(row: string): string {
  const { header, content } = parseRow(row);
  return formatRow({ ...header, isAfterGap: true }, content);
}

/** The row of a redaction that waits, or does so no more. */
export function waitingRowOf(row: string, isWaiting: boolean): string {
  const { header, content } = parseRow(row);
  return formatRow({ ...header, isWaiting }, content);
}

/**
 * The content as clients get it. A redaction names its target both at the top and in its content, whatever its room version:
 * "Room Versions", version 11. What is no event id is no target.
 */
function servedContent(pdu: JsonObject, version: string): { readonly content: JsonObject; readonly redacts?: string } {
  const content = (pdu['content'] ?? {}) as JsonObject;
  const redacts = redactionTargetOf(pdu, version);
  return redacts === undefined ? { content } : { content: { ...content, redacts }, redacts };
}

function contentJson(content: JsonObject, lenient: boolean): string {
  return lenient ? canonicalJson(content, { lenient }) : JSON.stringify(content);
}
