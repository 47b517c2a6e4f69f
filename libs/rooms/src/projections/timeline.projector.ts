import { hash } from 'node:crypto';
import type { RecordedFact } from '#event-store/event-store';
import type { RoomId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import type { OwnRows, Projector } from '#projections/projector';
import { type AcceptedFact, contentOf, type RedactedFact, type RoomFactReader } from './room-fact-reader.js';
import { redactedRowOf } from './timeline-row.js';

const DEPTH_DIGITS = 16;

/** The depth as a key part: sorts by its number. Depths beyond 2^53-1 (rooms of version 1 to 5) count as that. */
export function depthKey(depth: number): string {
  return String(Math.min(depth, Number.MAX_SAFE_INTEGER)).padStart(DEPTH_DIGITS, '0');
}

/**
 * The last part of a key in `transactions`: what a device's transaction id is unique within, hashed to a fixed length. The
 * path of a redaction names its target too: client-server API, "Transaction identifiers".
 */
export function transactionKey(roomId: RoomId, type: string, txnId: string, redacts?: string): string {
  return hash('sha256', JSON.stringify([roomId, type, redacts, txnId]), 'base64url');
}

/** A row of `events`: where an event stands. The revision is of its fact in the room's stream. */
export type EventPlace = readonly [roomId: RoomId, position: Position, depth: number, revision: number];

/**
 * `timeline`, `topology`, `events` and `transactions`: every accepted event in the order of the log and of the graph, by its
 * id, and by the transaction that sent it.
 */
export function timelineProjector(reader: RoomFactReader): Projector {
  return {
    name: 'timeline',
    version: 2,
    collections: ['timeline', 'topology', 'events', 'transactions'],
    handles: (type) => type === 'pdu-accepted' || type === 'pdu-redacted',
    project(fact, rows) {
      if (fact.type === 'pdu-redacted') return applyRedaction(reader.redacted(fact), rows);
      applyEvent(reader.accepted(fact), fact, rows);
      return undefined;
    },
  };
}

function applyEvent({ roomId, data, row }: AcceptedFact, { position, revision }: RecordedFact, rows: OwnRows): void {
  const { pdu, event_id: eventId, txn } = data;
  const depth = Math.min(Number(pdu['depth']), Number.MAX_SAFE_INTEGER);
  rows.put('timeline', [roomId, position], row);
  rows.put('topology', [roomId, depthKey(depth), position], '');
  rows.put('events', [eventId], JSON.stringify([roomId, position, depth, revision]));
  if (txn === undefined) return;
  const redacts = pdu['type'] === 'm.room.redaction' ? redactedBy(data) : undefined;
  const key = transactionKey(roomId, pdu['type'] as string, txn.txn_id, redacts);
  rows.put('transactions', [pdu['sender'] as string, txn.device_id, key], eventId);
}

function redactedBy({ pdu }: AcceptedFact['data']): string | undefined {
  const target = pdu['redacts'] ?? contentOf(pdu)['redacts'];
  return typeof target === 'string' ? target : undefined;
}

async function applyRedaction({ roomId, data }: RedactedFact, rows: OwnRows): Promise<void> {
  const place = await rows.get('events', [data.event_id]);
  if (place === undefined) return;
  const [room, position] = JSON.parse(place) as EventPlace;
  // An event id of another room is none of this room's business.
  if (room !== roomId) return;
  const row = await rows.get('timeline', [room, position]);
  if (row !== undefined) rows.put('timeline', [room, position], redactedRowOf(row, data.redacted_by, room, data.pdu));
}
