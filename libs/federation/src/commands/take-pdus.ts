import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { type EventId, isUserId, type RoomId, type ServerName, serverNameOf } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { LOGGER, type Logger } from '#observability/logger';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { MAX_PREV_EVENTS } from '#protocol/parse-room-event';
import type { Pdu } from '#protocol/room-event';
import { DEFAULT_ROOM_VERSION, findRoomVersion } from '#protocol/room-versions/room-versions';
import { ViewsUnavailable } from '#read-models/read-model-errors';
import { ReceivePdus } from '#rooms/commands/receive-pdus';
import type { Receipt, Received } from '#rooms/commands/receiving';
import { ServerAcls } from '#rooms/queries/server-acls';
import type { PduResult } from '../facts/origin-facts.js';
import type { Refusal } from '../facts/refusal-facts.js';
import { EndedInvitations } from '../joining/ended-invitations.js';
import { isOutage } from '../is-outage.js';
import { InboundQueue } from '../inbound/inbound-queue.js';
import { type RoomHere, RoomsHere } from '../inbound/rooms-here.js';
import { idOf, namedIds } from '../receive/told-pdu.js';

/** How long a room is waited for, so that one which has much to do holds up no other. */
const WITHIN_MS = 15_000;

/** Of an event with all that others may have added to it: what is longer is none. */
const MOST_UNITS = 4 * 65_536;

const TAKEN: PduResult = Object.freeze({});
const NOT_KEPT = Object.freeze({
  error: 'Too many events of yours wait for others already, or this one is too large',
});
const CROWDED = 'Too many events of other servers wait: this is to be sent again later';
const CROWDED_MS = 60_000;
const NOT_JUDGED = Object.freeze({ error: 'It could not be judged' });
/** Of a room that is not here the version is not known: of most events the id is the same in all of today's. */
const NEWEST = findRoomVersion(DEFAULT_ROOM_VERSION)!;

type Arrival = ReceivePdus['arrival'];

/** An event of a transaction, with its id. */
interface Told {
  readonly eventId: EventId;
  readonly pdu: Pdu;
}

/** What became of one of them. */
export interface TakenPdu {
  readonly eventId: EventId;
  readonly result: PduResult;
  /** Where it was refused, which its server is not always told: what is noted of that. */
  readonly refusal?: Pick<Refusal, 'kind' | 'reason'>;
}

/** Takes the events of one room that a transaction holds. */
@Injectable()
export class TakePdus {
  constructor(
    private readonly rooms: RoomsHere,
    private readonly acls: ServerAcls,
    private readonly commands: CommandBus,
    private readonly queue: InboundQueue,
    @Inject(EndedInvitations) private readonly ended: Pick<EndedInvitations, 'take'>,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * Answers what became of each: its result is empty where it is in its room, or waits, durably, for what it misses. What has no id is
   * left out. A room with which something is wrong harms no other. Throws where the log or the views cannot be reached, and
   * M_LIMIT_EXCEEDED where so much of other servers waits that some of it cannot: then all is to be sent again, and what was taken is known.
   */
  async take(
    origin: ServerName,
    transaction: string,
    roomId: RoomId,
    pdus: readonly Pdu[],
  ): Promise<readonly TakenPdu[]> {
    try {
      return await this.#take(origin, transaction, roomId, pdus);
    } catch (error) {
      if (isOutage(error) || error instanceof MatrixError) throw error;
      this.logger.error({ err: error, roomId, origin, events: pdus.length }, 'the events of a room could not be taken');
      return toldOf(pdus, undefined).map(({ eventId }) => notKept(eventId, NOT_JUDGED));
    }
  }

  async #take(
    origin: ServerName,
    transaction: string,
    roomId: RoomId,
    pdus: readonly Pdu[],
  ): Promise<readonly TakenPdu[]> {
    const room = await this.rooms.find(roomId);
    const told = toldOf(pdus, room);
    const refusal = await this.#findRefusal(origin, roomId, room);
    if (refusal !== undefined) {
      this.logger.debug({ origin, roomId, events: told.length, reason: refusal }, 'events were refused');
      const results: TakenPdu[] = [];
      for (const { eventId, pdu } of told) {
        const isEnd = room?.standing !== 'in' && (await this.ended.take(origin, roomId, pdu));
        results.push(isEnd ? { eventId, result: TAKEN } : notKept(eventId, { error: refusal }));
      }
      return results;
    }
    const arrival = { transaction };
    const received = room?.standing === 'in' ? await this.#receive(origin, roomId, told, arrival) : undefined;
    const waits = told.filter((_, i) => received === undefined || isWorthAnotherTry(received[i]!));
    const waiting = await this.#letWait(origin, transaction, roomId, waits);
    return told.map(({ eventId }, i): TakenPdu => {
      if (waiting.has(eventId)) return { eventId, result: TAKEN };
      const one = received?.[i];
      return one === undefined || isWorthAnotherTry(one) ? notKept(eventId, NOT_KEPT) : takenAs(eventId, one);
    });
  }

  async #findRefusal(origin: ServerName, roomId: RoomId, room: RoomHere | undefined): Promise<string | undefined> {
    if (room === undefined) return 'This server is not in that room';
    if (room.standing === 'left') return 'This server is not in that room any more';
    if (!(await this.acls.isLetIn(roomId, origin))) return 'The access list of the room does not let you speak there';
    return undefined;
  }

  /** What became of each; undefined where the room is not through with them in time, or is not there. */
  async #receive(
    origin: ServerName,
    roomId: RoomId,
    told: readonly Told[],
    arrival: Arrival,
  ): Promise<readonly Received[] | undefined> {
    const done = new AbortController();
    const receiving = this.#receiveAll(origin, roomId, told, arrival).finally(() => done.abort());
    receiving.catch(() => {}); // where it is waited for no longer, the queue receives them again
    const tooLong = delay(WITHIN_MS, undefined, { signal: done.signal, ref: false }).catch(() => receiving);
    return Promise.race([receiving, tooLong]);
  }

  /** All in one go, undefined where that cannot be done now. Where one of them cannot even be judged, by a mistake of ours, each by itself. */
  async #receiveAll(
    origin: ServerName,
    roomId: RoomId,
    told: readonly Told[],
    arrival: Arrival,
  ): Promise<readonly Received[] | undefined> {
    const receive = async (some: readonly Told[]): Promise<readonly Received[]> => {
      const pdus = some.map(({ pdu }) => pdu);
      const command = new ReceivePdus(origin, roomId, pdus, arrival);
      return (await this.commands.execute<ReceivePdus, Receipt>(command)).received;
    };
    try {
      return await receive(told);
    } catch (error) {
      if (error instanceof MatrixError) return undefined; // the room is not there, whatever the views say
      // It may be of this room alone, which they do not show as it is now.
      if (error instanceof ViewsUnavailable) return undefined;
      if (isOutage(error)) throw error;
      if (told.length === 1) return [this.#couldNotJudge(error, told[0]!.eventId)];
      this.logger.error({ err: error, roomId, origin }, 'events could not be judged');
    }
    const each: Received[] = [];
    for (const one of told) {
      each.push(...(await receive([one]).catch((error: unknown) => [this.#couldNotJudge(error, one.eventId)])));
    }
    return each;
  }

  #couldNotJudge(error: unknown, eventId: EventId): Received {
    if (isOutage(error)) throw error;
    this.logger.error({ err: error, eventId }, 'an event could not be judged');
    return { kind: 'dropped', reason: NOT_JUDGED.error, wantedKeys: [] };
  }

  /**
   * Answers the ids of those that wait, or gave way to others that do. Throws M_LIMIT_EXCEEDED where others leave no room for some: they are to
   * be sent again.
   */
  async #letWait(
    origin: ServerName,
    transaction: string,
    roomId: RoomId,
    told: readonly Told[],
  ): Promise<ReadonlySet<EventId>> {
    const pdus = told.map(({ eventId, pdu }) => {
      const text = canonicalJson(pdu, { lenient: true });
      const parents = isOf(origin, pdu) ? namedIds(pdu['prev_events']) : [];
      const isKnown = parents.length > 0 && parents.length <= MAX_PREV_EVENTS;
      return { roomId, eventId, origin, transaction, ...(isKnown ? { parents } : {}), text };
    });
    const fitting = pdus.filter(({ text }) => text.length <= MOST_UNITS);
    if (fitting.length === 0) return NOBODY;
    const { waiting, gaveWay, isCrowded } = await this.queue.add(origin, fitting);
    if (isCrowded) throw new MatrixError('M_LIMIT_EXCEEDED', CROWDED, { fields: { retry_after_ms: CROWDED_MS } });
    return new Set([...waiting, ...gaveWay].map(({ eventId }) => eventId));
  }
}

const NOBODY: ReadonlySet<EventId> = new Set();

/** Whether an event is of a user of a server. */
function isOf(server: ServerName, { sender }: Pdu): boolean {
  return typeof sender === 'string' && isUserId(sender) && serverNameOf(sender) === server;
}

/** Those that have ids. */
function toldOf(pdus: readonly Pdu[], room: RoomHere | undefined): Told[] {
  return pdus.flatMap((pdu): Told | [] => {
    const eventId = idOf(pdu, room?.version ?? NEWEST);
    return eventId === undefined ? [] : { eventId, pdu };
  });
}

/** Whether what an event misses can be had: others, a key, or the whole of it. */
function isWorthAnotherTry(received: Received): boolean {
  if (received.kind === 'missing') return true;
  return received.kind === 'dropped' && (received.wantedKeys.length > 0 || received.wantedWhole !== undefined);
}

function notKept(eventId: EventId, { error }: { readonly error: string }): TakenPdu {
  return { eventId, result: { error }, refusal: { kind: 'event', reason: error } };
}

/**
 * Of an error is told only what was not taken at all. A soft-failed event is, and so is a rejected one: it has its place in the graph, where
 * others stand on it. The specification's word for that is "successfully handled", and other servers answer it so.
 */
function takenAs(eventId: EventId, received: Received): TakenPdu {
  const { kind } = received;
  if (kind === 'dropped') return notKept(eventId, { error: received.reason });
  const isRefused = kind === 'rejected' || kind === 'soft-failed';
  return { eventId, result: TAKEN, ...(isRefused ? { refusal: { kind } } : {}) };
}
