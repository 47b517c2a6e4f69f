import { Inject, Injectable } from '@nestjs/common';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import type { Effect } from '#projections/effects/effect';
import type { JsonObject } from '#kernel/json';
import { VIEWS, type Views } from '#projections/views';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { parseJson } from '#protocol/canonical-json/parse-json';
import { relationOf } from '#protocol/relation';
import { pduTail, pduTextOf, type PduRedacted, roomIdOfStream } from '#rooms/facts/room-facts';
import { contentOf } from '#rooms/projections/room-fact-reader';
import { findEventRevision } from '#rooms/queries/find-event-revision';

/**
 * What remains of an event, with the events that it named, for the views are to be the same when they are made anew: what it related
 * to and how (threads count it), and what it redacts. What it annotated that with goes.
 */
function withReferences(remains: string, { data }: RecordedFact): string {
  const isRelated = data.includes('"m.relates_to"');
  if (!isRelated && !data.includes('"redacts"')) return remains;
  const { redacts, ...whole } = JSON.parse(pduTextOf(data)) as JsonObject;
  const named = redacts === undefined ? {} : { redacts };
  const content = contentOf(whole);
  const { relType, parent } = relationOf(content) ?? {};
  const relation =
    relType === undefined || parent === undefined ? {} : { 'm.relates_to': { event_id: parent, rel_type: relType } };
  const pdu = parseJson(remains, { lenient: true }) as JsonObject;
  const kept = { ...contentOf(pdu), ...relation };
  return canonicalJson({ ...pdu, ...named, content: kept }, { lenient: true });
}

/**
 * Erases from the log what a redaction took away. The views have shown only what remains of the event since `pdu-redacted`; from
 * here on nobody finds more in the log either.
 */
@Injectable()
export class RedactionErasure implements Effect {
  readonly name = 'redaction-erasure';
  readonly fromStart = true;

  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  keyOf({ type, stream }: RecordedFact): string | undefined {
    return type === 'pdu-redacted' ? stream : undefined;
  }

  async run({ stream, data }: RecordedFact): Promise<boolean> {
    const { event_id: eventId } = JSON.parse(data) as PduRedacted;
    const revision = await findEventRevision(this.views, roomIdOfStream(stream), eventId);
    if (revision === undefined) return false;
    for await (const fact of this.store.readStream(stream, { from: revision, limit: 1 })) {
      const { erasable, erased } = fact.metadata;
      if (erasable === undefined || erased !== undefined) return false;
      await this.store.erase(stream, revision, pduTail(withReferences(pduTextOf(data), fact)));
      return true;
    }
    return false;
  }
}
