import { Inject, Injectable } from '@nestjs/common';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import type { RoomId } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { VIEWS, type Views } from '#projections/views';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { parseJson } from '#protocol/canonical-json/parse-json';
import { redact } from '#protocol/redaction/redact';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import { type PduAccepted, roomStream } from '#rooms/facts/room-facts';
import { pduTextOf } from '#rooms/facts/fact-text';
import type { RowHeader, TimelineRow } from '#rooms/projections/timeline-row';
import { findPlaces } from '#rooms/reading/event-rows';

/**
 * Events as their servers signed them, for filters with `event_format: federation` (client-server API, "Filtering"). What a
 * reader may see of an event is decided before, so that its content comes from what is served: where that is less than what
 * was signed, the rest is what a redaction leaves. PERF: the only read of the log by a query, one for each event, because the
 * views hold nothing that clients do not ask for; hardly any client asks for this.
 */
@Injectable()
export class SignedEvents {
  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  /** The events of one room in the order given; `served` are the same as clients get them, JSON texts with `unsigned`. */
  async write(roomId: RoomId, rows: readonly TimelineRow[], served: readonly string[]): Promise<string[]> {
    const ids = rows.map(({ header }) => header.eventId);
    const places = await findPlaces(this.views, roomId, ids);
    return Promise.all(
      served.map(async (text, i) => {
        const revision = places[i]?.revision;
        return revision === undefined ? text : this.#write(roomId, rows[i]!.header, revision, text);
      }),
    );
  }

  async #write(roomId: RoomId, header: RowHeader, revision: number, text: string): Promise<string> {
    for await (const fact of this.store.readStream(roomStream(roomId), { from: revision, limit: 1, inParts: true })) {
      return signedText(fact.data, header, text);
    }
    return text;
  }
}

/** The PDU of a fact with no more of its content than is served; with its id, which what was signed does not hold. */
function signedText(factData: string, { eventId, redactedBy }: RowHeader, served: string): string {
  const fact = JSON.parse(factData) as PduAccepted;
  const version = findRoomVersion(fact.room_version);
  const pdu = objectOf(parseJson(fact.state_pdus?.[eventId] ?? pduTextOf(factData), { lenient: true }));
  const { content, unsigned, event_id = null } = objectOf(parseJson(served, { lenient: true }));
  // What a redaction takes away beside the content stays in the log until it is erased.
  const isWhole = redactedBy === undefined && isSame(contentOf(pdu), servedContent(pdu, content));
  // What the redacting keeps may be more than is served, never the other way round.
  const shown = isWhole || version === undefined ? pdu : redact(pdu, version);
  return canonicalJson({ ...shown, event_id, ...(unsigned === undefined ? {} : { unsigned }) }, { lenient: true });
}

/** Clients are told the target of a redaction in its content too, whatever its room version: it may not be in what was signed. */
function servedContent(pdu: JsonObject, content: unknown): JsonObject {
  const served = objectOf(content);
  if (pdu['type'] !== 'm.room.redaction' || 'redacts' in contentOf(pdu)) return served;
  const { redacts: _, ...rest } = served;
  return rest;
}

const contentOf = (pdu: JsonObject): JsonObject => objectOf(pdu['content']);
const objectOf = (value: unknown): JsonObject => (isJsonObject(value) ? value : {});
const isSame = (a: JsonObject, b: JsonObject): boolean =>
  canonicalJson(a, { lenient: true }) === canonicalJson(b, { lenient: true });
