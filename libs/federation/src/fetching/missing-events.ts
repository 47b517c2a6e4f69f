import { Injectable } from '@nestjs/common';
import type { EventId, ServerName } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Pdu } from '#protocol/room-event';
import { MAX_PREV_EVENTS } from '#protocol/parse-room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import type { ReceivePdus } from '#rooms/commands/receive-pdus';
import type { Received } from '#rooms/commands/receiving';
import { RoomIsPartial } from '#rooms/partial-room';
import { ReceivedEvents } from '#rooms/queries/received-events';
import type { WaitingPdu } from '../facts/inbound-facts.js';
import { pathOf } from '../peers/path-of.js';
import { idOf, namedIds, readPdu } from '../receive/told-pdu.js';
import { AskServers, type LargeQuestion } from './ask-servers.js';
import { Errand } from './errand.js';
import type { EventFetching, Missing, Settlement } from './event-fetching.js';
import { FetchState } from './fetch-state.js';
import { readEvents } from './read-events.js';
import { PutOut } from './put-out.js';
import { isPlaced, ReceiveHelped } from './receive-helped.js';

/** How many events are fetched of a gap, some at a time: servers give twenty at most. What is behind stays a gap, over the state. */
const MOST_WALKED = 200;
const AT_ONCE = 20;
/** How many events before which history is missing get the state before them. */
const MOST_EDGES = 10;
/** How often an event is received again in one errand. */
const MOST_ROUNDS = 6;

/** An event as it was sent, or fetched. */
interface ToldEvent {
  readonly eventId: EventId;
  readonly pdu: Pdu;
  readonly arrival: ReceivePdus['arrival'];
}

/**
 * Brings events into their room that miss others: server-server API, "Backfilling and retrieving missing events", "Retrieving state".
 * First the events of the gap, from the server that sent them; where there are too many of them, or nobody has them, the state before
 * the first that is here, and its auth chain.
 */
@Injectable()
export class MissingEvents implements EventFetching {
  constructor(
    private readonly servers: AskServers,
    private readonly help: ReceiveHelped,
    private readonly state: FetchState,
    private readonly received: ReceivedEvents,
    private readonly putOut: PutOut,
  ) {}

  async receive(waiting: WaitingPdu, signal: AbortSignal): Promise<Settlement> {
    const { roomId, eventId, origin, text, transaction } = waiting;
    const version = await this.received.findVersion(roomId);
    if (version === undefined) return { kind: 'waits', reason: 'The room is not here' };
    if ((await this.received.findPartial(roomId)) !== undefined)
      return { kind: 'waits', reason: 'Not all of the room is here' };
    // What waited for the room to come could not be held against its list.
    if (!(await this.received.isLetIn(roomId, origin))) {
      return { kind: 'settled', reason: 'The access list of the room does not let its server speak there' };
    }
    const errand = new Errand(roomId, [origin], signal);
    const pdu = readPdu(text);
    const settlement = await this.#bring(errand, origin, version, { eventId, pdu, arrival: { transaction } });
    if (settlement.kind === 'waits' && (await this.putOut.take(waiting))) return { kind: 'settled' };
    const isRefused = settlement.kind === 'settled' && settlement.reason !== undefined;
    if (waiting.standsFor === undefined || !isRefused) return settlement;
    // What gave way to it may be good, and its server was told that it is taken.
    const areThere = await this.#bringParents(errand, origin, version, pdu);
    return areThere ? settlement : { kind: 'waits', reason: 'What gave way to it cannot be had for now' };
  }

  /** Receives an event with what it misses. */
  async #bring(
    errand: Errand,
    origin: ServerName,
    version: RoomVersion,
    { eventId, pdu, arrival }: ToldEvent,
  ): Promise<Settlement> {
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const one = await this.#receiveOne(errand, origin, version, pdu, arrival);
      if (one === undefined) return { kind: 'waits', reason: 'The whole event, or a key, cannot be had for now' };
      if (one.kind === 'dropped') return droppedFor(one);
      if (one.kind !== 'missing') return { kind: 'settled' };
      const edges = round === 0 ? await this.#walk(errand, origin, version, one) : new Map([[eventId, one]]);
      if (!(await this.#supplyEdges(errand, version, edges, eventId)) && round > 0) {
        return {
          kind: 'waits',
          reason: `${one.parents.length + one.authEvents.length} events that it names cannot be had`,
        };
      }
    }
    return { kind: 'waits', reason: 'It still misses others, after all that was fetched' };
  }

  /** Brings the parents of an event that is none itself. Answers whether each is there, or is none either. */
  async #bringParents(errand: Errand, origin: ServerName, version: RoomVersion, pdu: Pdu): Promise<boolean> {
    const named = namedIds(pdu['prev_events']).slice(0, MAX_PREV_EVENTS);
    let areThere = true;
    for (const eventId of await this.received.listUnknown(errand.roomId, named)) {
      const answer = await this.help.fetchEvent(errand, eventId, version, [origin]);
      if (answer.kind === 'nobody') continue;
      const isThere =
        answer.kind === 'answered' &&
        (await this.#bring(errand, origin, version, { eventId, pdu: answer.value, arrival: {} })).kind === 'settled';
      areThere &&= isThere;
    }
    return areThere;
  }

  /** Fetches and receives, as far as a server has them, the events of a gap that is before an event: those that it misses, no state. */
  async fetchBefore(errand: Errand, origin: ServerName, version: RoomVersion, missing: Missing): Promise<void> {
    await this.#walk(errand, origin, version, missing);
  }

  /**
   * Supplies what events miss before which history is missing, as what was told of them says: the state before them, and their auth
   * chains. Answers whether anything came. `sent`: the event because of which the others were fetched. Where that is an edge itself, its
   * server gave nothing before it, and the states before its parents are not asked for.
   */
  async #supplyEdges(
    errand: Errand,
    version: RoomVersion,
    waiting: ReadonlyMap<EventId, Missing>,
    sent: EventId,
  ): Promise<boolean> {
    let hasCome = false;
    for (const missing of edgesOf(waiting).slice(0, MOST_EDGES)) {
      if (await this.supply(errand, version, missing, missing.eventId !== sent)) hasCome = true;
    }
    return hasCome;
  }

  /**
   * Fetches what one event misses and nobody gives as an event: the state before it, or its auth chain. `byParents`: where nobody tells the
   * state before it, those before its parents do.
   */
  async supply(errand: Errand, version: RoomVersion, missing: Missing, byParents = false): Promise<boolean> {
    const { eventId, parents, authEvents } = missing;
    const hasState =
      parents.length > 0 &&
      ((await this.state.stateBefore(errand, eventId, version)) ||
        (byParents && (await this.state.stateByParents(errand, missing, version))));
    // Mostly they came with the state.
    const listLacking = (): Promise<EventId[]> => this.received.listUnknown(errand.roomId, authEvents);
    const hasChain = (await listLacking()).length > 0 && (await this.state.authChain(errand, eventId, version));
    const lacking = await listLacking();
    const hasEach = lacking.length > 0 && (await this.state.authEvents(errand, lacking, version));
    return hasState || hasChain || hasEach;
  }

  /** What became of an event; undefined where it is not known yet. */
  async #receiveOne(
    errand: Errand,
    origin: ServerName,
    version: RoomVersion,
    pdu: Pdu,
    arrival: ReceivePdus['arrival'],
  ): Promise<Received | undefined> {
    const eventId = idOf(pdu, version);
    try {
      const received = await this.help.pdus(errand, origin, version, [pdu], arrival);
      return (
        received.find((one) => one.kind !== 'dropped' && one.eventId === eventId) ??
        received.find((one) => one.kind === 'dropped')
      );
    } catch (error) {
      // The room, or the rest of it, is not here yet.
      if (error instanceof RoomIsPartial) return undefined;
      if (error instanceof MatrixError && error.errcode === 'M_FORBIDDEN') return undefined;
      throw error;
    }
  }

  /** Fetches and receives the events between an event and what is here. Answers those that still wait, with what they miss. */
  async #walk(
    errand: Errand,
    origin: ServerName,
    version: RoomVersion,
    missing: Missing,
  ): Promise<ReadonlyMap<EventId, Missing>> {
    const waiting = new Map([[missing.eventId, missing]]);
    for (let walked = 0; walked < MOST_WALKED;) {
      const latest = edgesOf(waiting).filter(({ parents }) => parents.length > 0);
      if (latest.length === 0) break;
      const found = await this.#askBetween(errand, origin, latest);
      if (found === undefined) break;
      walked += found.pdus.length;
      const before = waiting.size;
      const received = await this.help.pdus(errand, found.server, version, found.pdus);
      for (const one of received) {
        if (one.kind === 'missing') waiting.set(one.eventId, one);
        else if (one.kind !== 'dropped') waiting.delete(one.eventId);
      }
      // Nothing new: the server would tell the same again.
      if (waiting.size === before && !received.some(isPlaced)) break;
    }
    return waiting;
  }

  async #askBetween(
    errand: Errand,
    origin: ServerName,
    latest: readonly Missing[],
  ): Promise<{ readonly server: ServerName; readonly pdus: readonly Pdu[] } | undefined> {
    const { roomId } = errand;
    const earliest = (await this.received.listExtremities(roomId)) ?? [];
    const question: LargeQuestion<readonly Pdu[]> = {
      name: 'get_missing_events',
      eventId: latest[0]!.eventId,
      request: {
        method: 'POST',
        path: pathOf('/_matrix/federation/v1/get_missing_events/:roomId', { roomId }),
        content: {
          earliest_events: earliest.slice(0, AT_ONCE),
          latest_events: latest.slice(0, AT_ONCE).map(({ eventId }) => eventId),
          limit: AT_ONCE,
          min_depth: 0,
        },
        maxBytes: 4 * 1024 * 1024,
      },
      readBytes: async (bytes) => {
        const found = await readEvents(bytes, 'events', AT_ONCE);
        return found?.length === 0 ? undefined : found;
      },
    };
    const answer = await this.servers.ask(errand, question, [origin]);
    return answer.kind === 'answered' ? { server: answer.server, pdus: answer.value } : undefined;
  }
}

/** Those that wait for what is not among them: history is missing before them. */
export function edgesOf(waiting: ReadonlyMap<EventId, Missing>): Missing[] {
  return [...waiting.values()].filter(
    ({ parents, authEvents }) =>
      parents.some((id) => !waiting.has(id)) || (parents.length === 0 && authEvents.length > 0),
  );
}

/** A key that cannot be had now may be had later. */
function droppedFor({ reason, wantedKeys, wantedWhole }: Extract<Received, { readonly kind: 'dropped' }>): Settlement {
  const isLater = wantedKeys.length > 0 || wantedWhole !== undefined;
  return { kind: isLater ? 'waits' : 'settled', reason };
}
