import { setImmediate as nextTurn } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { type EventId, type ServerName } from '#kernel/ids';
import { KeyedQueue } from '#kernel/keyed-queue';
import { Slots } from '#kernel/slots';
import { LOGGER, type Logger } from '#observability/logger';
import type { Pdu } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { ReceiveState } from '#rooms/commands/receive-state';
import { ReceivedEvents } from '#rooms/queries/received-events';
import { pathOf } from '../peers/path-of.js';
import { depthOf, idOf, namedIds, parsePdu } from '../receive/told-pdu.js';
import { AskServers } from './ask-servers.js';
import type { Errand } from './errand.js';
import type { Missing } from './event-fetching.js';
import { ReceiveHelped } from './receive-helped.js';
import { eventsAsked, idsAsked, type StateIds } from './state-questions.js';

type StateByParents = Exclude<ReceiveState['stateEvents'], readonly unknown[]>;

/** A state that a server tells, each event of which is here. */
interface Telling {
  readonly server: ServerName;
  readonly state: readonly EventId[];
}

/** An event as it was told, and how deep it says it is. */
interface ToldEvent {
  readonly event: Uint8Array | Pdu;
  readonly depth: number;
}

/** Where so many are not here, or so few of all, they are asked for one by one; else all of the state is. */
const FEW = 30;
const MOST_ASKED_FOR = 500;
const AT_ONCE = 8;
/** Of the parents of an event, of which each has a state of its own. */
const MOST_PARENTS = 5;
/** So many events are parsed in one go, and so many received. */
const PARSED_AT_ONCE = 100;
const RECEIVED_AT_ONCE = 500;
/** What comes before what authorises it is received again. */
const MOST_PASSES = 5;
/** Of so few that still miss others these are asked for one by one. */
const FEW_LEFT = 5;
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

  /**
   * As `stateBefore`, by the states before those of its parents that have no place here, and these parents: for a server that does not tell
   * the state before the event itself, and has it. What nobody has of the parents has changed nothing.
   */
  stateByParents(errand: Errand, missing: Missing, version: RoomVersion): Promise<boolean> {
    const fetch = (): Promise<boolean> => this.#stateByParents(errand, missing, version);
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

  /** Fetches auth events that no auth chain holds, each by itself. Answers whether anything came. */
  async authEvents(errand: Errand, wanted: readonly EventId[], version: RoomVersion): Promise<boolean> {
    const servers = await this.servers.listServers(errand.roomId, errand.first);
    return this.receive.authEvents(errand, wanted, version, servers);
  }

  async #stateBefore(errand: Errand, eventId: EventId, version: RoomVersion): Promise<boolean> {
    for await (const { server, state } of this.#tellings(errand, eventId, version)) {
      if (await this.#learn(errand, server, eventId, state)) return true;
      this.servers.blame(idsAsked(errand.roomId, eventId), server);
    }
    return false;
  }

  async #stateByParents(errand: Errand, missing: Missing, version: RoomVersion): Promise<boolean> {
    const { eventId, parents, beside } = missing;
    if (parents.length === 0 || parents.length > MOST_PARENTS) return false;
    const servers = await this.servers.listServers(errand.roomId, errand.first);
    if (!(await this.#fetchEach(errand, version, parents, servers))) return false;
    const told: (StateByParents['told'][number] & Pick<Telling, 'server'>)[] = [];
    for (const parent of parents) {
      const { value: first } = await this.#tellings(errand, parent, version).next();
      if (first === undefined) return false;
      told.push({ parent, stateEvents: first.state, server: first.server });
    }
    if (await this.#learn(errand, told[0]!.server, eventId, { told, known: beside })) return true;
    for (const { parent, server } of told) this.servers.blame(idsAsked(errand.roomId, parent), server);
    return false;
  }

  /** The state before an event as one server after another tells it, without what of it nobody has. */
  async *#tellings(errand: Errand, eventId: EventId, version: RoomVersion): AsyncGenerator<Telling, undefined> {
    const { roomId } = errand;
    const servers = await this.servers.listServers(roomId, errand.first);
    for (const server of servers) {
      const answer = await this.servers.ask(errand, idsAsked(roomId, eventId), [server]);
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
      yield { server, state };
    }
  }

  async #learn(
    { roomId }: Errand,
    server: ServerName,
    eventId: EventId,
    state: ReceiveState['stateEvents'],
  ): Promise<boolean> {
    const learnt = await this.commands.execute(new ReceiveState(server, roomId, eventId, state));
    if (!('kind' in learnt)) return true;
    const reason = learnt.kind === 'dropped' ? learnt.reason : 'Not all of its events are here';
    this.logger.info({ roomId, eventId, server, reason }, 'a state that another server told is none');
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
    if (left.length > 0 && left.length <= FEW_LEFT) await this.#keepLeft(errand, server, version, left);
    return byId.size > 0;
  }

  /** Those that name what did not come with them: it is asked for by itself. */
  async #keepLeft(errand: Errand, server: ServerName, version: RoomVersion, left: readonly ToldEvent[]): Promise<void> {
    const pdus = left.map(({ event }) => pduOf(event)).filter((pdu) => pdu !== undefined);
    const named = pdus.flatMap(({ auth_events: references }) => namedIds(references));
    const lacking = await this.received.listUnknown(errand.roomId, named);
    if (await this.authEvents(errand, lacking, version)) await this.receive.outliers(errand, server, pdus);
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
