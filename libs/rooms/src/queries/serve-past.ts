import type { EventId, RoomId, ServerName } from '#kernel/ids';
import { openToServer } from '../reading/server-reader.js';
import { type LoggedPdu, type PduSources, readLoggedPdus } from './read-pdus.js';
import { findAskable, textsFor } from './serve-events.js';
import type { ServingSources } from './serving-sources.js';

/**
 * Events that came before some others, and those, deepest first (server-server API, `GET /backfill/{roomId}`), up to `limit`; those that the
 * server may not see redacted. Ids that nothing is known of are left out. Throws M_FORBIDDEN for who is not and was not in the room.
 */
export async function serveBackfill(
  sources: ServingSources,
  roomId: RoomId,
  server: ServerName,
  { from, limit }: { readonly from: readonly EventId[]; readonly limit: number },
): Promise<string[]> {
  const reader = await openToServer(sources, roomId, server);
  const open = new Map((await findAskable(sources, reader, from)).map((pdu) => [pdu.eventId, pdu]));
  const noted = new Set<EventId>(open.keys());
  const found: LoggedPdu[] = [];
  while (found.length < limit) {
    const next = deepestOf(open);
    if (next === undefined) break;
    open.delete(next.eventId);
    found.push(next);
    for (const pdu of await readParents(sources, roomId, [next], noted)) open.set(pdu.eventId, pdu);
  }
  return textsFor(reader, found);
}

/** What a server that misses events says of them. */
export interface MissingRequest {
  /** What it has: nothing of this is told, nor what comes before it alone. */
  readonly earliest: readonly EventId[];
  /** What it has, and the parents of which it lacks. */
  readonly latest: readonly EventId[];
  readonly limit: number;
  readonly minDepth: number;
}

/**
 * The events between some and others, parents first (`POST /get_missing_events/{roomId}`): found by going back from `latest`, the nearest
 * first, up to `limit`; those that the server may not see redacted. Throws as `serveBackfill`.
 */
export async function serveMissingEvents(
  sources: ServingSources,
  roomId: RoomId,
  server: ServerName,
  { earliest, latest, limit, minDepth }: MissingRequest,
): Promise<string[]> {
  const reader = await openToServer(sources, roomId, server);
  const noted = new Set<EventId>([...earliest, ...latest]);
  const found: LoggedPdu[] = [];
  let level: readonly LoggedPdu[] = await findAskable(sources, reader, latest);
  while (level.length > 0 && found.length < limit) {
    const parents = await readParents(sources, roomId, level, noted);
    level = parents.filter(({ depth }) => depth >= minDepth).slice(0, limit - found.length);
    found.push(...level);
  }
  return textsFor(
    reader,
    found.toSorted((a, b) => a.depth - b.depth),
  );
}

/** The parents of some events that were not noted yet, as far as it is known where they stand. */
async function readParents(
  sources: PduSources,
  roomId: RoomId,
  children: readonly LoggedPdu[],
  noted: Set<EventId>,
): Promise<LoggedPdu[]> {
  const wanted = children.flatMap(({ prevEvents }) => prevEvents).filter((eventId) => !noted.has(eventId));
  const ids = [...new Set(wanted)].slice(0, MOST_AT_ONCE);
  for (const eventId of ids) noted.add(eventId);
  const pdus = ids.length === 0 ? [] : [...(await readLoggedPdus(sources, roomId, ids)).values()];
  return pdus.filter(({ isPlaceless }) => isPlaceless !== true);
}

/** Events name twenty parents at most where the rules are kept, and of a level of the graph no more are told than of a page. */
const MOST_AT_ONCE = 500;

function deepestOf(open: ReadonlyMap<EventId, LoggedPdu>): LoggedPdu | undefined {
  let deepest: LoggedPdu | undefined;
  for (const pdu of open.values()) if (deepest === undefined || pdu.depth > deepest.depth) deepest = pdu;
  return deepest;
}
