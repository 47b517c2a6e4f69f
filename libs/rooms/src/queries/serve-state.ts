import type { EventId, RoomId, ServerName } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { askGraph } from '../graph/ask-graph.js';
import { openToServer, type ServerReader } from '../reading/server-reader.js';
import { AuthChain, type PduEntry } from './auth-chain.js';
import { isWholeInGraph } from './partial-rooms.js';
import { type LoggedPdu, readLoggedPdus } from './read-pdus.js';
import { getAskable, textsFor } from './serve-events.js';
import type { ServingSources } from './serving-sources.js';
import { StateTelling } from './tell-state.js';

/** A state and what authorises it, as another server is told it: both some hundred events at a time, the state first. */
export interface ServedState {
  readonly state: AsyncIterable<readonly PduEntry[]>;
  readonly authChain: AsyncIterable<readonly PduEntry[]>;
}

/**
 * The state of a room before an event (server-server API, `GET /state/{roomId}`). It is whole for a server that may see the room there;
 * else what it may see of it, and what authorises others, and the rest redacted. The auth chain is always whole. Throws M_FORBIDDEN for
 * who is not and was not in the room, M_NOT_FOUND where the event, or the state before it, is not known.
 */
export async function serveState(
  sources: ServingSources,
  roomId: RoomId,
  server: ServerName,
  eventId: EventId,
): Promise<ServedState> {
  const reader = await openToServer(sources, roomId, server);
  if (!(await isWholeInGraph(sources.views, roomId)))
    throw new MatrixError('M_NOT_FOUND', 'Not all of the state of this room is here yet');
  const pdu = await getAskable(sources, reader, eventId);
  const before = await askGraph(sources.views, roomId, pdu.position, (graph) => graph.findStateBefore(eventId));
  if (before === undefined) throw new MatrixError('M_NOT_FOUND', `The state before ${eventId} is not known`);
  const telling = new StateTelling(sources, roomId, before);
  const pages = telling.state();
  const isWhole = (await reader.withinOf([pdu])).length > 0;
  return { state: isWhole ? pages : redacted(sources, reader, pages), authChain: telling.authChain() };
}

async function* redacted(
  sources: ServingSources,
  reader: ServerReader,
  pages: AsyncIterable<readonly PduEntry[]>,
): AsyncGenerator<readonly PduEntry[], void> {
  for await (const page of pages) {
    const ids = page.map(([eventId]) => eventId);
    const pdus: LoggedPdu[] = [...(await readLoggedPdus(sources, reader.roomId, ids)).values()];
    const texts = await textsFor(reader, pdus);
    yield pdus.map(({ eventId }, i) => [eventId, texts[i]!]);
  }
}

/** What authorises an event, and what authorises that (`GET /event_auth/{roomId}/{eventId}`). Throws as `serveState`. */
export async function serveAuthChain(
  sources: ServingSources,
  roomId: RoomId,
  server: ServerName,
  eventId: EventId,
): Promise<AsyncIterable<readonly PduEntry[]>> {
  const reader = await openToServer(sources, roomId, server);
  const pdu = (await readLoggedPdus(sources, roomId, [eventId])).get(eventId);
  if (pdu === undefined || (!reader.isIn && !(await reader.maySee(pdu)))) {
    throw new MatrixError('M_NOT_FOUND', `${eventId} is not known`);
  }
  const chain = new AuthChain(sources, roomId);
  chain.hold(pdu.authEvents);
  return chain.pages();
}
