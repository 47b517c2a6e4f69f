import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { nameLog } from '#event-store/log-identity';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import { TodaysEventStore } from '#event-store/todays-event-store';
import type { PeerRequest, Peers } from '#federation/peers/peers';
import { signRequest } from '#protocol/signing/sign-request';
import { TransactionDelivery } from '#federation/sending/deliver-transaction';
import { DestinationNotes } from '#federation/sending/destination-notes';
import { Destinations } from '#federation/sending/destinations';
import { MissedByDestination } from '#federation/sending/missed-by-destination';
import { SendEvents } from '#federation/sending/send-events.effect';
import { ServersInRooms } from '#federation/sending/servers-in-rooms';
import { SleepingDestinations } from '#federation/sending/sleeping-destinations';
import { StickyForServer } from '#federation/sending/sticky-for-server';
import { TransactionWriter } from '#federation/sending/write-transaction';
import { listProjectors } from '#homeserver/projectors';
import { systemClock } from '#kernel/clock';
import type { ServerName, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { PeerUnavailable } from '#kernel/peer-errors';
import { createLogger } from '#observability/logger';
import { FACT_SHAPES } from '#processes/fact-shapes';
import type { Effect } from '#projections/effects/effect';
import type { Listener } from '#projections/listener';
import { ProjectionRuntime } from '#projections/projection-runtime';
import { openLmdbReadModels } from '#read-models/lmdb/lmdb-read-model-store';
import { ROOM_PARTS } from '#rooms/facts/told-in-parts';
import { LocalRoom, TEST_AUTHOR } from '#testing/local-room';

/** How long another server takes to answer. */
const ANSWER_MS = 50;

/** The other servers, but for the network: each request is signed, and answered a little later, or fails at once. */
class BenchPeers {
  readonly dead = new Set<string>();
  tries = 0;
  accepted = 0;
  #whenAccepted: { readonly count: number; readonly tell: () => void } | undefined;

  async ask(destination: ServerName, { method, path, contentText }: PeerRequest): Promise<JsonObject> {
    this.tries++;
    const request = { method, uri: path, origin: TEST_AUTHOR.serverName, destination };
    signRequest(request, TEST_AUTHOR.signingKey, contentText);
    if (this.dead.has(destination)) throw new PeerUnavailable('dead');
    await delay(ANSWER_MS);
    if (++this.accepted === this.#whenAccepted?.count) this.#whenAccepted.tell();
    return { pdus: {} };
  }

  /** Settles once so many requests more were accepted. */
  async untilAccepted(more: number): Promise<void> {
    const count = this.accepted + more;
    await new Promise<void>((tell) => (this.#whenAccepted = { count, tell }));
  }

  isLeftAlone(): boolean {
    return false;
  }

  onAwake(): () => void {
    return () => {};
  }
}

/** This server as far as it sends events to others: log and views in LMDB, every projector, and no door. */
export class SendingServer {
  private constructor(
    readonly peers: BenchPeers,
    readonly sending: { readonly destinations: Destinations; readonly effect: SendEvents },
    readonly rooms: readonly LocalRoom[],
    readonly runtime: ProjectionRuntime,
    private readonly store: TodaysEventStore,
    readonly stop: () => Promise<void>,
  ) {}

  /** With rooms that were there before, each with one user of each of so many other servers, who all are there or all dead. */
  static async start(shapes: readonly RoomShape[]): Promise<SendingServer> {
    const directory = mkdtempSync(join(tmpdir(), 'annals-bench-sending-'));
    const store = new TodaysEventStore(await openLmdbEventStore(join(directory, 'log')), FACT_SHAPES, ROOM_PARTS);
    const readModels = await openLmdbReadModels(join(directory, 'views'));
    const clock = systemClock;
    const begun = clock.now();
    const { serverName } = TEST_AUTHOR;
    await nameLog(store, clock, serverName, { key_id: 'ed25519:1', public_key: '' });
    const peers = new BenchPeers();
    const rooms: LocalRoom[] = [];
    for (const shape of shapes) rooms.push(await makeRoom(store, shape, peers));
    const effects: Effect[] = [];
    const listeners: Listener[] = [];
    const projectors = listProjectors();
    const runtime = new ProjectionRuntime({ store, readModels, projectors, listeners, effects, clock });
    const asPeers = peers as unknown as Peers; // what is asked of it here
    const logger = await createLogger('silent');
    const servers = new ServersInRooms(runtime, { serverName });
    const sticky = new StickyForServer(store, runtime, clock, { serverName, stickyEvents: true }, servers);
    const writer = new TransactionWriter(serverName, () => clock.now());
    const destinations = new Destinations(
      clock,
      asPeers,
      // Time stands still for those that are left alone: that they are tried again is not what a message costs.
      new SleepingDestinations({ now: () => begun }, runtime, logger, new DestinationNotes(store, clock)),
      new TransactionDelivery(asPeers, writer, logger, []),
      new MissedByDestination(store, runtime, [], servers, sticky),
      writer,
    );
    const effect = new SendEvents(destinations, servers, [], runtime, { serverName }, sticky);
    listeners.push(servers);
    effects.push(effect);
    await runtime.start();
    return new SendingServer(peers, { destinations, effect }, rooms, runtime, store, async () => {
      await runtime.stop();
      await store.close();
      await readModels.close();
      rmSync(directory, { recursive: true, force: true });
    });
  }

  /** Settles once everything that was appended has been sent, or noted. */
  async idle(): Promise<void> {
    await this.runtime.whenProcessed(await this.store.head());
    const isIdle = (): boolean =>
      this.runtime.effects.list().every(({ waiting }) => waiting === 0) &&
      this.sending.destinations.numbers.active === 0;
    while (!isIdle()) await delay(20);
  }
}

/** A room with members of so many other servers. */
export interface RoomShape {
  readonly name: string;
  readonly servers: number;
  readonly isDead?: true;
}

async function makeRoom(store: TodaysEventStore, shape: RoomShape, { dead }: BenchPeers): Promise<LocalRoom> {
  const room = await LocalRoom.begin(store, '11', shape.name);
  await room.setState('m.room.join_rules', { join_rule: 'public' });
  for (let i = 0; i < shape.servers; i++) {
    const server = `${shape.name}${i}.example`;
    if (shape.isDead === true) dead.add(server);
    await room.setMembership(`@user:${server}` as UserId, 'join');
  }
  return room;
}
