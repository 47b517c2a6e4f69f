import { Global, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { SERVER_KEYS } from '#rooms/server-keys';
import { AuthenticateRequest } from './doors/authenticate-request.js';
import { SigningKeysController } from './doors/signing-keys.controller.js';
import { KEY_PROVIDERS } from './keys/key-providers.js';
import { KeyRing } from './keys/key-ring.js';
import { ServersInRooms } from './sending/servers-in-rooms.js';
import { Discovery } from './discovery/discovery.js';
import { FederatedServers } from './peers/federated-servers.js';
import { PEER_PROVIDERS } from './peers/peer-providers.js';
import { Peers } from './peers/peers.js';

/** Rooms shared with other servers: the server-server API in both directions. */
@Global()
@Module({
  imports: [CqrsModule],
  controllers: [SigningKeysController],
  providers: [...PEER_PROVIDERS, ...KEY_PROVIDERS, ServersInRooms],
  exports: [AuthenticateRequest, Discovery, FederatedServers, KeyRing, Peers, SERVER_KEYS, ServersInRooms],
})
export class FederationModule {}
