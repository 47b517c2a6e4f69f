import { Inject, Injectable } from '@nestjs/common';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import type { Effect } from '#projections/effects/effect';
import { VIEWS, type Views } from '#projections/views';
import { pduTail, pduTextOf, type PduRedacted, roomIdOfStream } from '#rooms/facts/room-facts';
import { findEventRevision } from '#rooms/queries/find-event-revision';

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
    for await (const { metadata } of this.store.readStream(stream, { from: revision, limit: 1 })) {
      if (metadata.erasable === undefined || metadata.erased !== undefined) return false;
    }
    await this.store.erase(stream, revision, pduTail(pduTextOf(data)));
    return true;
  }
}
