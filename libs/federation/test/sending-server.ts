import { nameLog } from '#event-store/log-identity';
import { TodaysEventStore } from '#event-store/todays-event-store';
import type { ServerName } from '#kernel/ids';
import type { Logger } from '#observability/logger';
import { FACT_SHAPES } from '#processes/fact-shapes';
import { ProjectionRuntime } from '#projections/projection-runtime';
import type { Effect } from '#projections/effects/effect';
import { createRoomFactReader } from '#rooms/projections/room-fact-reader';
import { roomProjectors } from '#rooms/projections/room-projectors';
import { ROOM_PARTS } from '#rooms/facts/told-in-parts';
import { LocalRoom, TEST_AUTHOR } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import type { Peers } from '../src/peers/peers.js';
import { federationProjectors } from '../src/projections/federation-projectors.js';
import { TransactionDelivery } from '../src/sending/deliver-transaction.js';
import { DestinationNotes } from '../src/sending/destination-notes.js';
import { Destinations } from '../src/sending/destinations.js';
import type { EduSource } from '../src/sending/edu-source.js';
import { MissedByDestination } from '../src/sending/missed-by-destination.js';
import { Outbox } from '../src/sending/outbox.js';
import { SendEvents } from '../src/sending/send-events.effect.js';
import { ServersInRooms } from '../src/sending/servers-in-rooms.js';
import { SleepingDestinations } from '../src/sending/sleeping-destinations.js';
import { StickyForServer } from '../src/sending/sticky-for-server.js';
import { TransactionWriter } from '../src/sending/write-transaction.js';
import { FakePeers } from './fake-peers.js';

const silent = { debug() {}, info() {}, warn() {}, error() {} } as unknown as Logger;

/** What outlives a server: its log and its views; and the others. */
export interface World {
  readonly log: MemoryEventStore;
  readonly views: MemoryReadModels;
  readonly peers: FakePeers;
  /** Both clocks run, and are so many milliseconds ahead. */
  ahead: number;
  stickyEvents?: boolean;
  /** Where each of several processes over the log runs; a process alone has none. */
  places?: number;
}

export function newWorld(): World {
  return { log: new MemoryEventStore(), views: new MemoryReadModels(), peers: new FakePeers(), ahead: 0 };
}

/** A server that sends what happens in its log to others, which a test plays. */
export class SendingServer {
  private constructor(
    readonly world: World,
    readonly runtime: ProjectionRuntime,
    readonly destinations: Destinations,
    readonly servers: ServersInRooms,
    readonly outbox: Outbox,
    readonly store: TodaysEventStore,
  ) {}

  static async start(world: World, sources: readonly EduSource[] = []): Promise<SendingServer> {
    const { peers } = world;
    const asPeers = peers as unknown as Peers; // what is asked of it here
    const store = new TodaysEventStore(world.log, FACT_SHAPES, ROOM_PARTS);
    const clock = { now: () => Date.now() + world.ahead, elapsed: () => performance.now() + world.ahead };
    const config = { serverName: TEST_AUTHOR.serverName, stickyEvents: world.stickyEvents === true };
    await nameLog(store, clock, config.serverName, { key_id: 'ed25519:1', public_key: '' });
    const reader = createRoomFactReader();
    const projectors = [...roomProjectors(reader), ...federationProjectors(reader)];
    const effects: Effect[] = [];
    const listeners: ServersInRooms[] = [];
    const isShared = world.places !== undefined;
    const runtime = new ProjectionRuntime({
      store,
      // Each process makes views of its own.
      readModels: isShared ? new MemoryReadModels() : world.views,
      projectors,
      listeners,
      effects,
      clock,
      effectLease: isShared ? { place: `${world.places!++}`, answerMs: 60_000, askMs: 5 } : undefined,
    });
    const servers = new ServersInRooms(runtime, config);
    const sticky = new StickyForServer(store, runtime, clock, config, servers);
    const notes = new DestinationNotes(store, clock);
    const writer = new TransactionWriter(config.serverName, () => clock.now());
    const destinations = new Destinations(
      clock,
      asPeers,
      new SleepingDestinations(clock, runtime, silent, notes),
      new TransactionDelivery(asPeers, writer, silent, [1, 1, 1]),
      new MissedByDestination(store, runtime, sources, servers, sticky),
      writer,
    );
    listeners.push(servers);
    effects.push(new SendEvents(destinations, servers, sources, runtime, config, sticky));
    await runtime.start();
    return new SendingServer(world, runtime, destinations, servers, new Outbox(destinations, config), store);
  }

  /** A room of Alice's that anybody may join. */
  async room(localpart: string, ...members: readonly string[]): Promise<LocalRoom> {
    const room = await LocalRoom.begin(this.store, '11', localpart);
    await room.setState('m.room.join_rules', { join_rule: 'public' });
    for (const member of members) await room.setMembership(member as never, 'join');
    return room;
  }

  /** The types of the facts that are noted of a server. */
  notesOf(server: string): string[] {
    return this.world.log.facts.filter(({ stream }) => stream === `destination-${server}`).map(({ type }) => type);
  }

  stop(): Promise<void> {
    return this.runtime.stop();
  }
}

export const B = 'b.example' as ServerName;
export const C = 'c.example' as ServerName;
export const D = 'd.example' as ServerName;
