import { join } from 'node:path';
import { CommandBus } from '@nestjs/cqrs';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { TokenAdministration } from '#accounts/administration/token-administration';
import { UserAdministration } from '#accounts/administration/user-administration';
import { RoomAdministration } from '#admin/purges/room-administration';
import { Reports } from '#admin/reports/reports';
import { SendToServices } from '#appservices/sending/send-to-services.effect';
import { Peers } from '#federation/peers/peers';
import { DestinationNotes } from '#federation/sending/destination-notes';
import { Destinations } from '#federation/sending/destinations';
import { MediaAdministration } from '#media/media-administration';
import { CacheRoom } from '#media/remote/cache-room';
import { HandOver } from '#personal-data/hand-over';
import { RenewedViews } from '#processes/renewal/renewed-views';
import { HELD_CLOCK, type NotedClock } from '#projections/held-clock';
import { type ControlServer, startControlServer } from '#projections/control-server';
import { controlMethods } from './control-methods.js';
import { effectMethods } from './effect-methods.js';
import { erasureMethods } from './erasure-methods.js';
import { eventMethods } from './event-methods.js';
import { exportMethods } from './export-methods.js';
import { federationMethods } from './federation-methods.js';
import { mediaMethods } from './media-methods.js';
import { noticeMethods } from './notice-methods.js';
import type { Ports } from './ports.module.js';
import { registrationTokenMethods } from './registration-token-methods.js';
import { reportMethods } from './report-methods.js';
import { roomMethods } from './room-methods.js';
import { serviceMethods } from './service-methods.js';
import { userMethods } from './user-methods.js';
import { viewsMethods } from './views-methods.js';

/** The socket by which the command line steers a running server. */
const CONTROL_SOCKET = 'control.sock';

/** Lets the command line ask for what the modules can do. */
export function openControl(
  { config, projections, clock }: Ports,
  app: NestFastifyApplication,
): Promise<ControlServer> {
  const users = new UserAdministration(app.get(CommandBus), config.serverName);
  const of = <T>(owner: abstract new (...parameters: never[]) => T): T => app.get<T>(owner, { strict: false });
  const media = new MediaAdministration(app.get(CommandBus), projections, of(CacheRoom), clock);
  const methods = {
    'server.address': () => app.getUrl(),
    ...controlMethods(projections.operations),
    ...effectMethods(projections.effects),
    ...federationMethods({ peers: of(Peers), destinations: of(Destinations), notes: of(DestinationNotes) }),
    ...userMethods(users, projections),
    ...registrationTokenMethods(new TokenAdministration(of(CommandBus)), projections, clock),
    ...exportMethods(of(HandOver), projections, config.serverName),
    ...reportMethods(of(Reports)),
    ...eventMethods(of(CommandBus)),
    ...noticeMethods(of(CommandBus), config),
    ...mediaMethods(media),
    ...roomMethods(of(RoomAdministration)),
    ...erasureMethods(of),
    ...serviceMethods(of(SendToServices)),
    ...viewsMethods(of(RenewedViews)),
    'clock.accept': () => app.get<NotedClock>(HELD_CLOCK, { strict: false }).accept(),
  };
  return startControlServer(join(config.dataDir, CONTROL_SOCKET), methods);
}
