import type { EventId, RoomId } from '#kernel/ids';
import { Collection, type RowCodec } from '#projections/collection';
import type { OwnRows } from '#projections/projector';
import { redactionTargetOf } from '../facts/pdu-fields.js';
import { type PduAccepted, type PduRedacted, roomIdOfStream } from '../facts/room-facts.js';
import type { GraphFact } from './write-graph.js';

const asRevision: RowCodec<number> = {
  encode: (revision) => revision.toString(36),
  decode: (text) => Number.parseInt(text, 36),
};

/** Which events accepted redactions name, whether those are here or not: they may come after them. */
export const GRAPH_REDACTIONS = new Collection<readonly [roomId: RoomId, target: EventId, redaction: EventId], number>(
  'graph-redactions',
  {
    key: ['room', 'event', 'redaction'],
    says: 'the revision of the redaction',
    codec: asRevision,
  },
);

export const GRAPH_REDACTED = new Collection<readonly [roomId: RoomId, eventId: EventId], number>('graph-redacted', {
  key: ['room', 'event'],
  says: 'the revision of what remains of it',
  codec: asRevision,
});

/** PERF: told from the text before anything is parsed, for most events are none. */
const REDACTION_MARK = '"type":"m.room.redaction"';

/** Writes down which event an accepted redaction names. Applied again it changes nothing. `parsed`: its data, where somebody has parsed it. */
export function writeRedaction(fact: GraphFact, rows: OwnRows, parsed?: PduAccepted): void {
  if (parsed === undefined && !fact.data.includes(REDACTION_MARK)) return;
  const { event_id: eventId, room_version: version, pdu } = parsed ?? (JSON.parse(fact.data) as PduAccepted);
  const target = pdu['state_key'] === undefined ? redactionTargetOf(pdu, version) : undefined;
  if (target === undefined) return;
  GRAPH_REDACTIONS.put(rows, [roomIdOfStream(fact.stream), target, eventId], fact.revision);
}

/** Writes down that a redaction took effect. Applied again, also after later facts, it changes nothing. */
export async function writeRedacted(fact: GraphFact, rows: OwnRows): Promise<void> {
  const { event_id: eventId } = JSON.parse(fact.data) as PduRedacted;
  const key = [roomIdOfStream(fact.stream), eventId] as const;
  const known = await GRAPH_REDACTED.get(rows, key);
  if (known !== undefined && known >= fact.revision) return;
  GRAPH_REDACTED.put(rows, key, fact.revision);
}
