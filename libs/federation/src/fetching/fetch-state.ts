import { setImmediate as nextTurn } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { type EventId, isEventId, type RoomId, type ServerName } from '#kernel/ids';
import type { JsonValue } from '#kernel/json';
import { KeyedQueue } from '#kernel/keyed-queue';
import { Slots } from '#kernel/slots';
import { LOGGER, type Logger } from '#observability/logger';
import { inTurns } from '#projections/turn';
import type { Pdu } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { ReceiveState } from '#rooms/commands/receive-state';
import { ReceivedEvents } from '#rooms/queries/received-events';
import { pathOf } from '../peers/path-of.js';
import { Slices, splitAnswer } from '../joining/split-answer.js';
import { AskServers, type LargeQuestion, type Question } from './ask-servers.js';
import type { Errand } from './errand.js';
import { depthOf, idOf, parsePdu, ReceiveHelped } from './receive-helped.js';

/** The events of a state, or of an auth chain, by their ids. */
interface StateIds {
  readonly state: readonly EventId[];
  readonly authChain: readonly EventId[];
}

/** An event as it was told, and how deep it says it is. */
interface ToldEvent {
  readonly event: Uint8Array | Pdu;
  readonly depth: number;
}

/** A room of 80,000 members has as many; and an auth chain that is longer. */
const MOST_IDS = 500_000;
const IDS_BYTES = 48 * 1024 * 1024;
/** Of the events themselves, which are looked at one after another. */
const EVENTS_BYTES = 512 * 1024 * 1024;
const TIMEOUT_MS = 5 * 60_000;
/** Where so many are not here, or so few of all, they are asked for one by one; else all of the state is. */
const FEW = 30;
const MOST_ASKED_FOR = 500;
const AT_ONCE = 8;
/** So many events are parsed in one go, and so many received. */
const PARSED_AT_ONCE = 100;
const RECEIVED_AT_ONCE = 500;
/** What comes before what authorises it is received again. */
const MOST_PASSES = 5;
/** How many states are fetched at a time, in all rooms: each may be large. Because of what one server sent one alone: it may be slow. */
const STATES_AT_ONCE = 4;

/** Fetches the state before an event whose parents nobody has, and auth chains: server-server API, "Retrieving state". */
@Injectable()
export class FetchState {
  readonly #slots = new Slots(STATES_AT_ONCE);
  readonly #turns = new KeyedQueue<ServerName | undefined>();

  constructor(
    private readonly commands: CommandBus,
    private readonly servers: AskServers,
    private readonly receive: ReceiveHelped,
    private readonly received: ReceivedEvents,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** Answers whether the state before an event is known now, and the event, which waits, was judged by it. Throws as `ReceivePdus`. */
  stateBefore(errand: Errand, eventId: EventId, version: RoomVersion): Promise<boolean> {
    const fetch = (): Promise<boolean> => this.#stateBefore(errand, eventId, version);
    return this.#turns.run(errand.first[0], () => this.#slots.run(fetch));
  }

  /** Fetches the auth chain of an event that waits for events of it. Answers whether anything came. */
  async authChain(errand: Errand, eventId: EventId, version: RoomVersion): Promise<boolean> {
    const { roomId } = errand;
    const path = pathOf('/_matrix/federation/v1/event_auth/:roomId/:eventId', { roomId, eventId });
    const question = eventsAsked('event_auth', eventId, path, ['auth_chain']);
    const answer = await this.servers.ask(errand, question, await this.servers.listServers(roomId, errand.first));
    return answer.kind === 'answered' && this.#keep(errand, answer.server, version, answer.value);
  }

  async #stateBefore(errand: Errand, eventId: EventId, version: RoomVersion): Promise<boolean> {
    const { roomId } = errand;
    const servers = await this.servers.listServers(roomId, errand.first);
    for (const server of servers) {
      const question = idsAsked(errand.roomId, eventId);
      const answer = await this.servers.ask(errand, question, [server]);
      if (answer.kind !== 'answered') continue;
      const ids = answer.value;
      const lacking = await this.#fetchLacking(errand, eventId, version, ids, [server, ...servers]);
      if (lacking === undefined) continue;
      // NOTSPEC: what nobody has, or does not pass the checks, is left out: else one bad event would keep the room from going on.
      const state = ids.state.filter((id) => !lacking.has(id));
      if (state.length < ids.state.length) {
        const count = ids.state.length - state.length;
        this.logger.warn({ roomId, eventId, server, leftOut: count }, 'a state lacks events that could not be had');
      }
      const learnt = await this.commands.execute(new ReceiveState(server, roomId, eventId, state));
      if (!('kind' in learnt)) return true;
      const reason = learnt.kind === 'dropped' ? learnt.reason : 'Not all of its events are here';
      this.logger.info({ roomId, eventId, server, reason }, 'a state that another server told is none');
      this.servers.blame(question, server);
    }
    return false;
  }

  /** Those of a state's events that are not here in the end; undefined where some could not be asked for. */
  async #fetchLacking(
    errand: Errand,
    eventId: EventId,
    version: RoomVersion,
    { state, authChain }: StateIds,
    [server, ...others]: readonly ServerName[],
  ): Promise<ReadonlySet<EventId> | undefined> {
    const { roomId } = errand;
    let unknown = await this.received.listUnknown(roomId, [...authChain, ...state]);
    const few = Math.max(FEW, (authChain.length + state.length) / 10);
    if (unknown.length > Math.min(few, MOST_ASKED_FOR)) {
      await this.#fetchAll(errand, eventId, version, server!);
      unknown = await this.received.listUnknown(roomId, unknown);
    }
    if (unknown.length > 0) {
      if (!(await this.#fetchEach(errand, version, unknown.slice(0, MOST_ASKED_FOR), others))) return undefined;
      unknown = await this.received.listUnknown(roomId, unknown);
    }
    const ofState = new Set(state);
    return new Set(unknown.filter((id) => ofState.has(id)));
  }

  async #fetchAll(errand: Errand, eventId: EventId, version: RoomVersion, server: ServerName): Promise<void> {
    const { roomId } = errand;
    const path = pathOf('/_matrix/federation/v1/state/:roomId', { roomId }, { event_id: eventId });
    const question = eventsAsked('state', eventId, path, ['auth_chain', 'pdus']);
    const answer = await this.servers.ask(errand, question, [server]);
    if (answer.kind === 'answered') await this.#keep(errand, server, version, answer.value);
  }

  /** Answers whether every server that may have them could be asked. */
  async #fetchEach(
    errand: Errand,
    version: RoomVersion,
    ids: readonly EventId[],
    servers: readonly ServerName[],
  ): Promise<boolean> {
    let couldAsk = true;
    const found: Pdu[] = [];
    const [server] = servers;
    for (let at = 0; at < ids.length; at += AT_ONCE) {
      const some = ids.slice(at, at + AT_ONCE);
      const answers = await Promise.all(some.map((id) => this.receive.fetchEvent(errand, id, version, servers)));
      for (const answer of answers) {
        if (answer.kind === 'unavailable') couldAsk = false;
        if (answer.kind === 'answered') found.push(answer.value);
      }
    }
    if (found.length > 0) await this.#keep(errand, server!, version, found);
    return couldAsk;
  }

  /** Keeps what is not here yet, as outliers. Answers whether there was anything. */
  async #keep(
    errand: Errand,
    server: ServerName,
    version: RoomVersion,
    events: Iterable<Uint8Array | Pdu>,
  ): Promise<boolean> {
    const byId = await this.#listNew(errand, version, events);
    // Only an order to begin with: it is what their server says.
    let left = [...byId.values()].toSorted((a, b) => a.depth - b.depth);
    for (let pass = 0; pass < MOST_PASSES && left.length > 0 && !errand.signal.aborted; pass++) {
      const missing: EventId[] = [];
      for (let at = 0; at < left.length; at += RECEIVED_AT_ONCE) {
        const some = left.slice(at, at + RECEIVED_AT_ONCE).map(({ event }) => pduOf(event));
        const pdus = some.filter((pdu) => pdu !== undefined);
        missing.push(...(await this.receive.outliers(errand, server, pdus)));
      }
      if (missing.length === left.length) break;
      left = missing.map((id) => byId.get(id)).filter((one) => one !== undefined);
    }
    return byId.size > 0;
  }

  /**
   * Those that are not here. PERF: of a large state most are, and are let go at once; the others stay bytes until they are received.
   * Others have their turn in between, also where it is one event over and over, or none that can be read.
   */
  async #listNew(
    { roomId }: Errand,
    version: RoomVersion,
    events: Iterable<Uint8Array | Pdu>,
  ): Promise<ReadonlyMap<EventId, ToldEvent>> {
    const found = new Map<EventId, ToldEvent>();
    let some = new Map<EventId, ToldEvent>();
    let parsed = 0;
    const look = async (): Promise<void> => {
      for (const id of await this.received.listUnknown(roomId, some.keys())) found.set(id, some.get(id)!);
      some = new Map();
      await nextTurn();
    };
    for (const event of events) {
      const pdu = pduOf(event);
      const id = pdu === undefined ? undefined : idOf(pdu, version);
      if (pdu !== undefined && id !== undefined) some.set(id, { event, depth: depthOf(pdu) });
      if (++parsed % PARSED_AT_ONCE === 0) await look();
    }
    await look();
    return found;
  }
}

function pduOf(event: Uint8Array | Pdu): Pdu | undefined {
  return event instanceof Uint8Array ? parsePdu(event) : event;
}

function idsAsked(roomId: RoomId, eventId: EventId): Question<StateIds> {
  return {
    name: 'state_ids',
    eventId,
    request: {
      method: 'GET',
      path: pathOf('/_matrix/federation/v1/state_ids/:roomId', { roomId }, { event_id: eventId }),
      maxBytes: IDS_BYTES,
      maxValues: 2 * MOST_IDS + 100,
      timeoutMs: TIMEOUT_MS,
    },
    read: ({ pdu_ids: stateIds, auth_chain_ids: authIds }) => {
      const [state, authChain] = [idsOf(stateIds), idsOf(authIds)];
      return state === undefined || authChain === undefined ? undefined : { state, authChain };
    },
  };
}

/** Asks for lists of events, each by its bytes. */
function eventsAsked(
  name: string,
  eventId: EventId,
  path: string,
  keys: readonly string[],
): LargeQuestion<Iterable<Uint8Array>> {
  return {
    name,
    eventId,
    request: { method: 'GET', path, maxBytes: EVENTS_BYTES, timeoutMs: TIMEOUT_MS },
    readBytes: async (bytes) => {
      const split = await inTurns(splitAnswer(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)));
      const lists = keys.map((key) => split.get(key));
      return lists.every((list) => list instanceof Slices) ? eachOf(lists) : undefined;
    },
  };
}

function* eachOf(lists: readonly Iterable<Uint8Array>[]): Generator<Uint8Array> {
  let count = 0;
  for (const list of lists) {
    for (const one of list) if (count++ < MOST_IDS) yield one;
  }
}

function idsOf(value: JsonValue | undefined): readonly EventId[] | undefined {
  if (!Array.isArray(value) || value.length > MOST_IDS) return undefined;
  return value.filter((id): id is EventId => typeof id === 'string' && isEventId(id));
}
