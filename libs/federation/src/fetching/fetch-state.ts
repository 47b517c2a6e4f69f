import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { type EventId, isEventId, type ServerName } from '#kernel/ids';
import type { JsonObject, JsonValue } from '#kernel/json';
import { Slots } from '#kernel/slots';
import { LOGGER, type Logger } from '#observability/logger';
import type { Pdu } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { ReceiveState } from '#rooms/commands/receive-state';
import { ReceivedEvents } from '#rooms/queries/received-events';
import { pathOf } from '../peers/path-of.js';
import { AskServers, type Question, readPdus } from './ask-servers.js';
import type { Errand } from './errand.js';
import { idOf, ReceiveHelped } from './receive-helped.js';

/** The events of a state, or of an auth chain, by their ids. */
interface StateIds {
  readonly state: readonly EventId[];
  readonly authChain: readonly EventId[];
}

/** A room of 80,000 members has as many; and an auth chain that is longer. */
const MOST_IDS = 500_000;
const IDS_BYTES = 48 * 1024 * 1024;
/** Of the events themselves: they are in memory at once. */
const EVENTS_BYTES = 192 * 1024 * 1024;
const STATE_TIMEOUT_MS = 5 * 60_000;
/** As many are asked for one by one; for more, all of the state is. */
const FEW = 30;
const AT_ONCE = 8;
/** How many states are fetched at a time, in all rooms: each may be large. */
const STATES_AT_ONCE = 8;

/** Fetches the state before an event whose parents nobody has, and auth chains: server-server API, "Retrieving state". */
@Injectable()
export class FetchState {
  readonly #slots = new Slots(STATES_AT_ONCE);

  constructor(
    private readonly commands: CommandBus,
    private readonly servers: AskServers,
    private readonly receive: ReceiveHelped,
    private readonly received: ReceivedEvents,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** Answers whether the state before an event is known now, and the event, which waits, was judged by it. Throws as `ReceivePdus`. */
  stateBefore(errand: Errand, eventId: EventId, version: RoomVersion): Promise<boolean> {
    return this.#slots.run(() => this.#stateBefore(errand, eventId, version));
  }

  /** Fetches the auth chain of an event that waits for events of it. Answers whether anything came. */
  async authChain(errand: Errand, eventId: EventId, version: RoomVersion): Promise<boolean> {
    const { roomId } = errand;
    const question: Question<readonly Pdu[]> = {
      name: 'event_auth',
      eventId,
      request: {
        method: 'GET',
        path: pathOf('/_matrix/federation/v1/event_auth/:roomId/:eventId', { roomId, eventId }),
        maxBytes: EVENTS_BYTES,
        timeoutMs: STATE_TIMEOUT_MS,
      },
      read: ({ auth_chain: chain }) => readPdus(chain, MOST_IDS),
    };
    const answer = await this.servers.ask(errand, question, await this.servers.listServers(roomId, errand.first));
    if (answer.kind !== 'answered') return false;
    return (await this.#keep(errand, answer.server, version, answer.value)) > 0;
  }

  async #stateBefore(errand: Errand, eventId: EventId, version: RoomVersion): Promise<boolean> {
    const { roomId } = errand;
    const servers = await this.servers.listServers(roomId, errand.first);
    for (const server of servers) {
      const ids = await this.#askIds(errand, eventId, server);
      if (ids === undefined) continue;
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
    }
    return false;
  }

  async #askIds(errand: Errand, eventId: EventId, server: ServerName): Promise<StateIds | undefined> {
    const { roomId } = errand;
    const question: Question<StateIds> = {
      name: 'state_ids',
      eventId,
      request: {
        method: 'GET',
        path: pathOf('/_matrix/federation/v1/state_ids/:roomId', { roomId }, { event_id: eventId }),
        maxBytes: IDS_BYTES,
        timeoutMs: STATE_TIMEOUT_MS,
      },
      read: (answer) => {
        const [state, authChain] = [idsOf(answer['pdu_ids']), idsOf(answer['auth_chain_ids'])];
        return state === undefined || authChain === undefined ? undefined : { state, authChain };
      },
    };
    const answer = await this.servers.ask(errand, question, [server]);
    return answer.kind === 'answered' ? answer.value : undefined;
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
    if (unknown.length > FEW) {
      await this.#fetchAll(errand, eventId, version, server!);
      unknown = await this.received.listUnknown(roomId, unknown);
    }
    if (unknown.length > 0) {
      if (!(await this.#fetchEach(errand, version, unknown.slice(0, 4 * FEW), others))) return undefined;
      unknown = await this.received.listUnknown(roomId, unknown);
    }
    const ofState = new Set(state);
    return new Set(unknown.filter((id) => ofState.has(id)));
  }

  async #fetchAll(errand: Errand, eventId: EventId, version: RoomVersion, server: ServerName): Promise<void> {
    const { roomId } = errand;
    const question: Question<readonly Pdu[]> = {
      name: 'state',
      eventId,
      request: {
        method: 'GET',
        path: pathOf('/_matrix/federation/v1/state/:roomId', { roomId }, { event_id: eventId }),
        maxBytes: EVENTS_BYTES,
        timeoutMs: STATE_TIMEOUT_MS,
      },
      read: (answer: JsonObject) => {
        const [state, chain] = [readPdus(answer['pdus'], MOST_IDS), readPdus(answer['auth_chain'], MOST_IDS)];
        return state === undefined || chain === undefined ? undefined : [...chain, ...state];
      },
    };
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
    for (let at = 0; at < ids.length; at += AT_ONCE) {
      const some = ids.slice(at, at + AT_ONCE);
      const answers = await Promise.all(some.map((id) => this.receive.fetchEvent(errand, id, version, servers)));
      for (const answer of answers) {
        if (answer.kind === 'unavailable') couldAsk = false;
        if (answer.kind === 'answered') await this.#keep(errand, answer.server, version, [answer.value]);
      }
    }
    return couldAsk;
  }

  /** Keeps what is not here yet, as outliers. Answers how many these are. */
  async #keep(errand: Errand, server: ServerName, version: RoomVersion, pdus: readonly Pdu[]): Promise<number> {
    const byId = new Map<EventId, Pdu>();
    for (const pdu of pdus) {
      const id = idOf(pdu, version);
      if (id !== undefined) byId.set(id, pdu);
    }
    const unknown = await this.received.listUnknown(errand.roomId, byId.keys());
    if (unknown.length === 0) return 0;
    await this.receive.outliers(
      errand,
      server,
      unknown.map((id) => byId.get(id)!),
    );
    return unknown.length;
  }
}

function idsOf(value: JsonValue | undefined): readonly EventId[] | undefined {
  if (!Array.isArray(value) || value.length > MOST_IDS) return undefined;
  return value.filter((id): id is EventId => typeof id === 'string' && isEventId(id));
}
