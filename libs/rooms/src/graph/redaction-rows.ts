import type { EventId } from '#kernel/ids';
import { isJsonObject } from '#kernel/json';
import type { OwnRows } from '#projections/projector';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { type PduAccepted, type PduRedacted, roomIdOfStream } from '../facts/room-facts.js';
import type { GraphFact } from './write-graph.js';

/*
 * graph-redactions [room, target, redaction]: the revision of the fact that accepted a redaction, whether the event it names is
 *     here or not: it may come after it.
 * graph-redacted [room, event]: the revision of the fact that holds what remains of an event.
 */

/** PERF: told from the text before anything is parsed, for most events are none. */
const REDACTION_MARK = '"type":"m.room.redaction"';

/** Writes down which event an accepted redaction names. Applied again it changes nothing. */
export function writeRedaction(fact: GraphFact, rows: OwnRows): void {
  if (!fact.data.includes(REDACTION_MARK)) return;
  const body = JSON.parse(fact.data) as PduAccepted;
  const target = targetOf(body);
  if (target === undefined) return;
  const key = [roomIdOfStream(fact.stream), target, body.event_id];
  rows.put('graph-redactions', key, formatRevision(fact.revision));
}

/** Writes down that a redaction took effect. Applied again, also after later facts, it changes nothing. */
export async function writeRedacted(fact: GraphFact, rows: OwnRows): Promise<void> {
  const { event_id: eventId } = JSON.parse(fact.data) as PduRedacted;
  const key = [roomIdOfStream(fact.stream), eventId];
  const known = await rows.get('graph-redacted', key);
  if (known !== undefined && parseRevision(known) >= fact.revision) return;
  rows.put('graph-redacted', key, formatRevision(fact.revision));
}

function targetOf({ room_version: id, pdu }: PduAccepted): EventId | undefined {
  if (pdu['type'] !== 'm.room.redaction' || pdu['state_key'] !== undefined) return undefined;
  const content = isJsonObject(pdu['content']) ? pdu['content'] : {};
  const target = findRoomVersion(id)?.redactsInContent === true ? content['redacts'] : pdu['redacts'];
  return typeof target === 'string' ? (target as EventId) : undefined;
}

function formatRevision(revision: number): string {
  return revision.toString(36);
}

/** Reads the value of a row of either collection. */
export function parseRevision(text: string): number {
  return Number.parseInt(text, 36);
}
