import type { EventId, RoomId, ServerName } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { each, type Steps } from '#kernel/steps';
import { inTurns, Turn } from '#projections/turn';
import type { Views } from '#projections/views';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { parseJson } from '#protocol/canonical-json/parse-json';
import { redact } from '#protocol/redaction/redact';
import { roomsThatKnow } from '../graph/graph-rows.js';
import { listRoomsOfEvent } from '../reading/event-rows.js';
import { findServerReader, mayAuthorise, type ServerReader } from '../reading/server-reader.js';
import { type LoggedPdu, type PduSources, readLoggedPdus } from './read-pdus.js';
import type { ServingSources } from './serving-sources.js';

/**
 * The texts of some events as a server is told them: redacted those that it may not see, or that the room keeps no longer. What may
 * authorise others stays whole: it is told of auth chains anyway, and a redaction can take away from it what the rules read.
 */
export async function textsFor(reader: ServerReader, pdus: readonly LoggedPdu[]): Promise<string[]> {
  const seen = await reader.wholeOf(pdus.filter((pdu) => !mayAuthorise(pdu)));
  return inTurns(redactOthers(pdus, (pdu) => mayAuthorise(pdu) || seen.has(pdu.eventId)));
}

function* redactOthers(pdus: readonly LoggedPdu[], isWhole: (pdu: LoggedPdu) => boolean): Steps<string[]> {
  const texts: string[] = [];
  yield* each(pdus, (pdu) => texts.push(isWhole(pdu) ? pdu.text : redactedText(pdu)), 1);
  return texts;
}

/** What is left of an event once all is gone that a redaction takes. */
function redactedText({ text, version }: LoggedPdu): string {
  const lenient = !version.strictCanonicalJson;
  return canonicalJson(redact(parseJson(text, { lenient }) as JsonObject, version), { lenient });
}

/**
 * Those events of a room at which a server may begin to ask: all, for who is in the room; for who was, those at which it may see the
 * room. Ids that nothing is known of are left out, and events of which it is not known where they stand.
 */
export async function findAskable(
  sources: PduSources,
  reader: ServerReader,
  eventIds: readonly EventId[],
): Promise<LoggedPdu[]> {
  const pdus = [...(await readLoggedPdus(sources, reader.roomId, eventIds)).values()];
  const placed = pdus.filter(({ isPlaceless }) => isPlaceless !== true);
  return reader.isIn ? placed : reader.withinOf(placed);
}

/** As `findAskable`, of one event. Throws M_NOT_FOUND. */
export async function getAskable(sources: PduSources, reader: ServerReader, eventId: EventId): Promise<LoggedPdu> {
  const [pdu] = await findAskable(sources, reader, [eventId]);
  if (pdu === undefined) throw new MatrixError('M_NOT_FOUND', `${eventId} is not known, or what the room was there`);
  return pdu;
}

/**
 * One event, whatever room it is in (server-server API, `GET /event/{eventId}`): redacted for a server that is in the room and may not
 * see it, but for what may authorise others. `shared`: the rooms that the server is in, of one of which it may be known as a part of a
 * state alone. Throws M_NOT_FOUND where it is unknown, and to who may not read it.
 */
export async function serveEvent(
  sources: ServingSources,
  server: ServerName,
  eventId: EventId,
  shared: () => Promise<readonly RoomId[]>,
): Promise<string> {
  const { views } = sources;
  const served =
    (await serveIn(await listRoomsOfEvent(views, eventId), sources, server, eventId)) ??
    (await serveIn(await findRooms(views, await shared(), eventId), sources, server, eventId));
  if (served === undefined) throw new MatrixError('M_NOT_FOUND', `${eventId} is not known`);
  return served;
}

const ROOMS_AT_ONCE = 200;

async function findRooms(views: Views, roomIds: readonly RoomId[], eventId: EventId): Promise<RoomId[]> {
  const found: RoomId[] = [];
  const turn = new Turn(1);
  for (let at = 0; at < roomIds.length; at += ROOMS_AT_ONCE) {
    found.push(...(await roomsThatKnow(views, roomIds.slice(at, at + ROOMS_AT_ONCE), eventId)));
    if (turn.isOver()) await turn.pass();
  }
  return found;
}

async function serveIn(
  roomIds: readonly RoomId[],
  sources: ServingSources,
  server: ServerName,
  eventId: EventId,
): Promise<string | undefined> {
  for (const roomId of roomIds) {
    const pdu = (await readLoggedPdus(sources, roomId, [eventId])).get(eventId);
    if (pdu === undefined) continue;
    const reader = await findServerReader(sources.views, roomId, server);
    if (!(reader.isIn || (await reader.maySee(pdu))) || !(await sources.acls.isLetIn(roomId, server))) continue;
    return (await textsFor(reader, [pdu]))[0];
  }
  return undefined;
}
