import { Global, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { ServersInRooms } from './sending/servers-in-rooms.js';

/** Rooms shared with other servers: the server-server API in both directions. */
@Global()
@Module({ imports: [CqrsModule], controllers: [], providers: [ServersInRooms], exports: [ServersInRooms] })
export class FederationModule {}
