import { Inject, Injectable, Optional } from '@nestjs/common';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import type { Effect } from '#projections/effects/effect';
import type { EventId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { namesMedia } from '#media/media-in-text';
import { UnshownMedia } from '#media/unshown-media';
import { VIEWS, type Views } from '#projections/views';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { parseJson } from '#protocol/canonical-json/parse-json';
import { relationOf } from '#protocol/relation';
import { type PduAccepted, type PduRejected, type PduRedacted, roomIdOfStream } from '#rooms/facts/room-facts';
import { erasableTail, pduTextOf } from '#rooms/facts/fact-text';
import { contentOf } from '#rooms/facts/pdu-fields';
import { listFactsOfEvent } from '#rooms/queries/list-facts-of-event';

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

/** What a fact says in the place of why it rejected an event that is redacted: that may have quoted it. */
const NOT_TOLD = 'not told any more';

/** The erasable part of a fact with what remains of an event in the place of that, be it the fact's own or one that it carries. */
function tailWith(fact: RecordedFact, eventId: EventId, remains: string): string {
  const { event_id: own, state_pdus: carried, reason } = JSON.parse(fact.data) as PduAccepted & Partial<PduRejected>;
  if (own === eventId) {
    const told = { state_pdus: carried, reason: reason === undefined ? undefined : NOT_TOLD };
    return erasableTail(told, withReferences(remains, fact));
  }
  const ownText = fact.type === 'change-told' ? undefined : pduTextOf(fact.data);
  return erasableTail({ state_pdus: { ...carried, [eventId]: remains }, reason }, ownText);
}

/** An event that is redacted, as a fact still has it, be it the fact's own or one that it carries; undefined where it has it no more. */
function textIn({ data }: RecordedFact, eventId: EventId): string | undefined {
  const { event_id: own, state_pdus: carried } = JSON.parse(data) as PduAccepted;
  return own === eventId ? pduTextOf(data) : carried?.[eventId];
}

/**
 * Erases from the log what a redaction took away, from every fact that holds it. The views have shown only what remains of the
 * event since `pdu-redacted`; from here on nobody finds more in the log either. What media it showed is noted before, for nobody knows after.
 */
@Injectable()
export class RedactionErasure implements Effect {
  readonly name = 'redaction-erasure';
  readonly fromStart = true;

  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(VIEWS) private readonly views: Views,
    @Optional() private readonly media?: UnshownMedia,
  ) {}

  keyOf({ type, stream }: RecordedFact): string | undefined {
    return type === 'pdu-redacted' ? stream : undefined;
  }

  async run({ stream, data }: RecordedFact): Promise<boolean> {
    const { event_id: eventId } = JSON.parse(data) as PduRedacted;
    let isDone = false;
    for (const revision of await listFactsOfEvent(this.views, roomIdOfStream(stream), eventId)) {
      for await (const fact of this.store.readStream(stream, { from: revision, limit: 1, inParts: true })) {
        const { erasable } = fact.metadata;
        const tail = tailWith(fact, eventId, pduTextOf(data));
        if (erasable === undefined || fact.data.slice(erasable) === tail) continue;
        const text = textIn(fact, eventId);
        if (text !== undefined && namesMedia(text))
          await this.media?.note(text, String((JSON.parse(text) as JsonObject)['sender']));
        await this.store.erase(stream, revision, tail);
        isDone = true;
      }
    }
    return isDone;
  }
}
