import type { FactoryProvider, Provider } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { CLOCK, type Clock } from '#kernel/clock';
import { LOGGER, type Logger } from '#observability/logger';
import { EDU_SOURCE_PROVIDERS } from '../edus/all-edu-sources.js';
import { Peers } from '../peers/peers.js';
import { TransactionDelivery } from './deliver-transaction.js';
import { DestinationNotes } from './destination-notes.js';
import { Destinations } from './destinations.js';
import { MissedByDestination } from './missed-by-destination.js';
import { Outbox } from './outbox.js';
import { SendEvents } from './send-events.effect.js';
import { ServersInRooms } from './servers-in-rooms.js';
import { SleepingDestinations } from './sleeping-destinations.js';
import { StickyForServer } from './sticky-for-server.js';
import { TransactionWriter } from './write-transaction.js';

const delivery: FactoryProvider<TransactionDelivery> = {
  provide: TransactionDelivery,
  inject: [Peers, TransactionWriter, LOGGER],
  useFactory: (peers: Peers, texts: TransactionWriter, logger: Logger) => new TransactionDelivery(peers, texts, logger),
};

const writer: FactoryProvider<TransactionWriter> = {
  provide: TransactionWriter,
  inject: [CONFIG, CLOCK],
  useFactory: ({ serverName }: Config, clock: Clock) => new TransactionWriter(serverName, () => clock.now()),
};

/** What sends to other servers. */
export const SENDING_PROVIDERS: readonly Provider[] = [
  delivery,
  writer,
  DestinationNotes,
  Destinations,
  MissedByDestination,
  Outbox,
  SendEvents,
  ServersInRooms,
  SleepingDestinations,
  StickyForServer,
  ...EDU_SOURCE_PROVIDERS,
];
