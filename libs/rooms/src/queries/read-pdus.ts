import type { EventStore, RecordedFact } from '#event-store/event-store';
import type { EventId, RoomId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Views } from '#projections/views';
import { findRoomVersion } from '#protocol/room-versions/room-versions';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { pduTextOf } from '../facts/fact-text.js';
import { contentOf, referencedIds } from '../facts/pdu-fields.js';
import { historyVisibilityOf, isAside, type OutlierStored, type PduAccepted } from '../facts/room-facts.js';
import { findGraphEvents, type GraphEvent } from '../graph/graph-rows.js';
import { GRAPH_REDACTED } from '../graph/redaction-rows.js';
import type { ServedEvent } from '../reading/server-reader.js';
import { readRevisions } from '../worker/read-revisions.js';

/** Where the events of rooms are read from as they were signed: which fact holds one is in the views, the event in the log. */
export interface PduSources {
  readonly views: Pick<Views, 'getMany'>;
  readonly store: Pick<EventStore, 'readStream'>;
}

/** An event as it was signed, with what there is to know of it for who hands it on. */
export interface LoggedPdu extends ServedEvent {
  readonly version: RoomVersion;
  /** The text as signed; of a redacted one what remains. */
  readonly text: string;
  readonly depth: number;
  readonly prevEvents: readonly EventId[];
  readonly authEvents: readonly EventId[];
}

/**
 * Events of a room as other servers are told them, by their ids: the text as signed, of a redacted one what remains. Without those
 * that the room does not have, and those that the rules refuse. Who may be told them is for the caller to know.
 */
export async function readPdus(
  sources: PduSources,
  roomId: RoomId,
  eventIds: readonly EventId[],
): Promise<ReadonlyMap<EventId, string>> {
  const { places, facts } = await findFacts(sources, roomId, eventIds);
  return new Map(places.map(({ eventId, redacted, event }) => [eventId, textIn(facts, redacted ?? event.revision)]));
}

/** As `readPdus`, with what they say of themselves, and what was so at them. */
export async function readLoggedPdus(
  sources: PduSources,
  roomId: RoomId,
  eventIds: readonly EventId[],
): Promise<ReadonlyMap<EventId, LoggedPdu>> {
  const { places, facts } = await findFacts(sources, roomId, eventIds);
  return new Map(
    places.map((place) => {
      const { eventId, redacted, event } = place;
      const fact = facts.get(event.revision)!;
      const text = textIn(facts, redacted ?? event.revision);
      return [eventId, loggedPduOf(place, fact, text)];
    }),
  );
}

interface PlacedPdu {
  readonly eventId: EventId;
  readonly event: GraphEvent;
  /** The revision of the fact that has what a redaction left of it. */
  readonly redacted: number | undefined;
}

type Facts = ReadonlyMap<number, RecordedFact>;

async function findFacts(
  { views, store }: PduSources,
  roomId: RoomId,
  eventIds: readonly EventId[],
): Promise<{ readonly places: readonly PlacedPdu[]; readonly facts: Facts }> {
  const [events, remains] = await Promise.all([
    findGraphEvents(views, roomId, eventIds),
    GRAPH_REDACTED.getMany(
      views,
      eventIds.map((eventId) => [roomId, eventId] as const),
    ),
  ]);
  const found = eventIds.map((eventId, i) => {
    const event = events[i];
    return event === undefined || isRefused(event) ? undefined : { eventId, event, redacted: remains[i] };
  });
  const places = found.filter((place) => place !== undefined);
  const revisions = places.flatMap(({ event, redacted }) => [event.revision, redacted ?? event.revision]);
  return { places, facts: await readRevisions(store, roomId, revisions) };
}

/** Whether the rules do not allow an event: it is handed on to nobody. */
function isRefused({ outcome }: GraphEvent): boolean {
  return outcome === 'rejected' || outcome === 'rejected-outlier';
}

function textIn(facts: Facts, revision: number): string {
  return pduTextOf(facts.get(revision)!.data);
}

function loggedPduOf({ eventId, event }: PlacedPdu, { data, metadata }: RecordedFact, text: string): LoggedPdu {
  const body = JSON.parse(data) as PduAccepted | OutlierStored;
  const { pdu } = body;
  const version = findRoomVersion(body.room_version);
  if (version === undefined) throw new Error(`the log names an unknown room version: ${body.room_version}`);
  const [type, stateKey] = [pdu['type'] as string, pdu['state_key'] as string | undefined];
  const isVisibility = type === 'm.room.history_visibility' && stateKey === '';
  return {
    eventId,
    version,
    text,
    type,
    stateKey,
    sender: pdu['sender'] as UserId,
    ...timesOf(pdu, metadata.at),
    depth: event.depth,
    prevEvents: referencedIds(pdu['prev_events']),
    authEvents: referencedIds(pdu['auth_events']),
    position: event.position,
    setsVisibility: isVisibility ? historyVisibilityOf(contentOf(pdu)) : undefined,
    ...placeOf(event, body),
  };
}

/** When an event was sent, and when it came where it says to have been sent later. */
function timesOf({ origin_server_ts: ts }: JsonObject, at: number): Pick<LoggedPdu, 'sentAt' | 'arrivedAt'> {
  const sentAt = Number(ts);
  return sentAt <= at ? { sentAt } : { sentAt, arrivedAt: at };
}

/** What was visible at an event and where what anybody was at it is to be looked for. */
function placeOf(
  { outcome }: GraphEvent,
  body: PduAccepted | OutlierStored,
): Pick<LoggedPdu, 'visibility' | 'isHistory' | 'isAside' | 'isPlaceless'> {
  if (!('visibility' in body)) return { visibility: 'joined', isPlaceless: true };
  const { visibility, history } = body;
  // What the room's state was when a soft-failed event came is not what it was at it.
  return { visibility, isHistory: history === true, isAside: outcome === 'soft-failed' || isAside(body) };
}

/** By which events a PDU says that it is authorised, and how deep it is, by its text. PERF: the text was checked when it came. */
export function placeInChainOf(text: string): { readonly authEvents: EventId[]; readonly depth: number } {
  const { auth_events: authEvents, depth } = JSON.parse(text) as JsonObject;
  return { authEvents: referencedIds(authEvents), depth: Number(depth) };
}
