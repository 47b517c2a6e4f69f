import type { CommandBus } from '@nestjs/cqrs';
import { AnsweredTransactions } from '#federation/commands/answered-transactions';
import { ReceiveTransaction, ReceiveTransactionHandler } from '#federation/commands/receive-transaction';
import { Refusals } from '#federation/refusals/refusals';
import { RoomsHere } from '#federation/inbound/rooms-here';
import { TakePdus } from '#federation/commands/take-pdus';
import { ServerAcls } from '#rooms/queries/server-acls';
import type { AnyEduHandler } from '#federation/edus/edu-handlers';
import { TakeEdus } from '#federation/edus/take-edus';
import type { PduResults } from '#federation/facts/origin-facts';
import { AskServers } from '#federation/fetching/ask-servers';
import { Backfill } from '#federation/fetching/backfill';
import { FetchState } from '#federation/fetching/fetch-state';
import { MissingEvents } from '#federation/fetching/missing-events';
import { PutOut } from '#federation/fetching/put-out';
import { ReceiveHelped } from '#federation/fetching/receive-helped';
import { InboundLog } from '#federation/inbound/inbound-log';
import { InboundQueue } from '#federation/inbound/inbound-queue';
import type { ServerName } from '#kernel/ids';
import type { JsonValue } from '#kernel/json';
import { createLogger, type Logger } from '#observability/logger';
import { Metrics } from '#observability/metrics';
import { parseJson } from '#protocol/canonical-json/parse-json';
import { ReceivedEvents } from '#rooms/queries/received-events';
import type { WantedKey } from '#rooms/server-keys';
import type { RoomCommands } from '../room-commands.js';
import type { TellingServer } from './telling-server.js';

export interface ReceivingOptions {
  readonly edus?: readonly AnyEduHandler[];
  /** The servers in each room, but for the one that sends. */
  readonly servers?: readonly ServerName[];
  readonly fetchKeys?: (wanted: readonly WantedKey[]) => Promise<void>;
  /** Else it stands still: what waits is not tried again, however long a test takes. */
  readonly elapsed?: () => number;
}

/** What takes transactions of other servers, over a log and views in memory: the network is a `TellingServer`. */
export class ReceivingServer {
  readonly queue: InboundQueue;
  readonly log: InboundLog;
  readonly rooms: RoomsHere;
  readonly backfill: Backfill;
  readonly refusals: Refusals;
  readonly #handler: ReceiveTransactionHandler;

  private constructor(
    readonly home: RoomCommands,
    peers: TellingServer,
    logger: Logger,
    { edus = [], servers = [], fetchKeys = async () => {}, elapsed }: ReceivingOptions,
  ) {
    const { views, workers, author } = home;
    const store = views.today;
    const clock = { now: () => home.now, elapsed: elapsed ?? (() => 0) };
    const bus = { execute: (command: object) => home.execute(command) } as CommandBus; // its other methods are Nest's
    const received = new ReceivedEvents(workers);
    const rooms = (this.rooms = new RoomsHere(views, author, received));
    const acls = new ServerAcls(views);
    const refusals = (this.refusals = new Refusals(store, clock, logger));
    const inRooms = { of: async () => new Set(servers) };
    const ask = new AskServers(peers, inRooms, author, clock);
    const helped = new ReceiveHelped(bus, { fetch: fetchKeys }, ask, refusals, logger);
    const state = new FetchState(bus, ask, helped, received, logger);
    const missing = new MissingEvents(ask, helped, state, received, new PutOut(bus, peers, author));
    this.log = new InboundLog(store, clock, new Metrics(), refusals);
    this.queue = new InboundQueue(this.log, missing, rooms, peers, clock, logger);
    this.backfill = new Backfill(ask, helped, missing, received, store, views);
    // Nobody is invited anywhere.
    const ended = { take: async () => false };
    const pdus = new TakePdus(rooms, acls, bus, this.queue, ended, logger);
    const answered = new AnsweredTransactions(store, clock);
    this.#handler = new ReceiveTransactionHandler(answered, pdus, new TakeEdus(edus, acls, refusals, logger), refusals);
  }

  static async start(
    home: RoomCommands,
    peers: TellingServer,
    options: ReceivingOptions = {},
  ): Promise<ReceivingServer> {
    await home.views.follow();
    return new ReceivingServer(home, peers, await createLogger('silent'), options);
  }

  /** Receives a transaction of some events, by their texts, and EDUs. */
  async receive(
    origin: ServerName,
    txnId: string,
    texts: readonly string[],
    edus: readonly JsonValue[] = [],
  ): Promise<PduResults> {
    await this.home.views.follow();
    const pdus = texts.map((text) => parseJson(text, { lenient: true, maxDepth: 1_000 }));
    return this.#handler.execute(new ReceiveTransaction(origin, txnId, { origin, pdus, edus: [...edus] }));
  }
}
