import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { type EventId, isUserId, type RoomId, type ServerName, serverNameOf } from '#kernel/ids';
import { LOGGER, type Logger } from '#observability/logger';
import type { Pdu } from '#protocol/room-event';
import type { RoomVersion } from '#protocol/room-versions/room-version';
import { eventIdOf } from '#protocol/signing/reference-hash';
import { ReceiveOutliers } from '#rooms/commands/receive-outliers';
import { ReceivePdus } from '#rooms/commands/receive-pdus';
import type { Receipt, Received } from '#rooms/commands/receiving';
import type { WantedKey } from '#rooms/server-keys';
import { KeyRing } from '../keys/key-ring.js';
import { Refusals } from '../refusals/refusals.js';
import { pathOf } from '../peers/path-of.js';
import { idOf } from '../receive/told-pdu.js';
import { type Answered, AskServers, type Question, readPdus } from './ask-servers.js';
import type { Errand } from './errand.js';

type Arrival = ReceivePdus['arrival'];

/** An event has no more of them. */
const MOST_AUTH_EVENTS = 10;

/** Receives events that were told or fetched, and fetches what these alone need: keys of servers, and copies that are whole. */
@Injectable()
export class ReceiveHelped {
  constructor(
    private readonly commands: CommandBus,
    @Inject(KeyRing) private readonly keys: Pick<KeyRing, 'fetch'>,
    private readonly servers: AskServers,
    private readonly refusals: Refusals,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * Answers what became of each, and of those that waited for them, in no order. Throws M_FORBIDDEN for a room that is not here, and
   * where the log or the views cannot be reached.
   */
  async pdus(
    errand: Errand,
    from: ServerName,
    version: RoomVersion,
    pdus: readonly Pdu[],
    arrival: Arrival = {},
  ): Promise<readonly Received[]> {
    const { roomId } = errand;
    const { ofOtherRooms } = errand;
    const receive = async (server: ServerName, some: readonly Pdu[], how: Arrival): Promise<Receipt> =>
      this.commands.execute(new ReceivePdus(server, roomId, some, { ...how, ofOtherRooms }));
    const { received, released } = await receive(from, pdus, arrival);
    const settled: Received[] = [...released];
    const again: Pdu[] = [];
    const altered: Pdu[] = [];
    received.forEach((one, i) => {
      if (wantsKeys(one)) again.push(pdus[i]!);
      else if (one.kind === 'dropped' && one.wantedWhole !== undefined) altered.push(pdus[i]!);
      else settled.push(one);
    });
    if (again.length > 0) {
      await this.keys.fetch(received.flatMap(wantedKeysOf));
      const second = await receive(from, again, arrival);
      settled.push(...second.released, ...second.received);
    }
    for (const pdu of altered) settled.push(...(await this.#wholeOf(errand, from, version, pdu, arrival)));
    this.#log(errand.roomId, from, settled);
    for (const one of settled) {
      if (one.kind !== 'rejected' && one.kind !== 'soft-failed') continue;
      this.refusals.note(from, {
        kind: one.kind,
        room_id: errand.roomId,
        event_id: one.eventId,
        txn_id: arrival.transaction,
      });
    }
    return settled;
  }

  /** As `pdus`, for parts of auth chains and of states: `ReceiveOutliers`. Answers the ids of those that still miss others. */
  async outliers(errand: Errand, from: ServerName, pdus: readonly Pdu[]): Promise<readonly EventId[]> {
    const { roomId, ofOtherRooms } = errand;
    const receive = (): Promise<Receipt> =>
      this.commands.execute(new ReceiveOutliers(from, roomId, pdus, ofOtherRooms));
    let { received } = await receive();
    const wanted = received.flatMap(wantedKeysOf);
    if (wanted.length > 0) {
      await this.keys.fetch(wanted);
      ({ received } = await receive());
    }
    this.#log(errand.roomId, from, received);
    return received.flatMap((one) => (one.kind === 'missing' ? one.eventId : []));
  }

  /** One event by its id, from the first server that has it. */
  fetchEvent(
    errand: Errand,
    eventId: EventId,
    version: RoomVersion,
    servers: readonly ServerName[],
  ): Promise<Answered<Pdu>> {
    const question: Question<Pdu> = {
      name: 'event',
      eventId,
      request: { method: 'GET', path: pathOf('/_matrix/federation/v1/event/:eventId', { eventId }) },
      read: ({ pdus }) => readPdus(pdus, 1)?.find((pdu) => idOf(pdu, version) === eventId),
    };
    return this.servers.ask(errand, question, servers);
  }

  /**
   * Fetches events that others name as their auth events and that came with no auth chain, some of them at most. What turns out to be of
   * another room is noted in the errand, so that those are refused. Answers whether anything came.
   */
  async authEvents(
    errand: Errand,
    wanted: readonly EventId[],
    version: RoomVersion,
    servers: readonly ServerName[],
  ): Promise<boolean> {
    let hasCome = false;
    for (const eventId of wanted.slice(0, MOST_AUTH_EVENTS)) {
      const answer = await this.fetchEvent(errand, eventId, version, servers);
      if (answer.kind !== 'answered') continue;
      hasCome = true;
      const { server, value: pdu } = answer;
      if (pdu['room_id'] === errand.roomId) await this.outliers(errand, server, [pdu]);
      else errand.ofOtherRooms.push(pdu);
    }
    return hasCome;
  }

  /** Receives an event of which an altered copy came: whole, where anybody has it, else as what is left of it. */
  async #wholeOf(
    errand: Errand,
    from: ServerName,
    version: RoomVersion,
    pdu: Pdu,
    arrival: Arrival,
  ): Promise<readonly Received[]> {
    const { roomId } = errand;
    const sender = String(pdu['sender']);
    const home = isUserId(sender) ? serverNameOf(sender) : undefined;
    const first = home !== undefined ? [home, from, ...errand.first] : [from, ...errand.first];
    let servers = await this.servers.listServers(roomId, first);
    for (;;) {
      const answer = await this.fetchEvent(errand, eventIdOf(pdu, version), version, servers);
      const isLast = answer.kind === 'nobody';
      if (answer.kind === 'unavailable') return [];
      const [server, copy] = isLast ? [from, pdu] : [answer.server, answer.value];
      const how = isLast ? { ...arrival, takesAltered: true } : arrival;
      const command = new ReceivePdus(server, roomId, [copy], how);
      const { received, released } = await this.commands.execute<ReceivePdus, Receipt>(command);
      const [one] = received;
      const isStill = one?.kind === 'dropped' && one.wantedWhole !== undefined;
      if (!isStill || isLast) return [...received, ...released];
      servers = servers.filter((each) => each !== server);
    }
  }

  #log(roomId: RoomId, origin: ServerName, received: readonly Received[]): void {
    for (const one of received) {
      if (one.kind !== 'dropped') continue;
      this.logger.info({ roomId, origin, reason: one.reason }, 'an event of another server was dropped');
    }
  }
}

/** Whether an event has its place in the room now, and had none before. */
export function isPlaced({ kind }: Received): boolean {
  return kind === 'accepted' || kind === 'soft-failed' || kind === 'rejected';
}

function wantsKeys(received: Received): boolean {
  return received.kind === 'dropped' && received.wantedKeys.length > 0;
}

function wantedKeysOf(received: Received): readonly WantedKey[] {
  return received.kind === 'dropped' ? received.wantedKeys : [];
}
