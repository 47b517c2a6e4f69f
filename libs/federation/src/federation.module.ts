import { Global, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { SERVER_KEYS } from '#rooms/server-keys';
import { AuthenticateRequest } from './doors/authenticate-request.js';
import { KEY_PROVIDERS } from './keys/key-providers.js';
import { KeyRing } from './keys/key-ring.js';
import { ServersInRooms } from './sending/servers-in-rooms.js';

/** Rooms shared with other servers: the server-server API in both directions. */
@Global()
@Module({
  imports: [CqrsModule],
  controllers: [],
  providers: [...KEY_PROVIDERS, ServersInRooms],
  exports: [AuthenticateRequest, KeyRing, SERVER_KEYS, ServersInRooms],
})
export class FederationModule {}
