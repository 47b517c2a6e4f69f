import { Global, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { DEVICE_PEERS } from '#devices/device-peers';
import { REMOTE_ROOMS } from '#rooms/remote-rooms';
import { HISTORY_ELSEWHERE } from '#rooms/history-elsewhere';
import { SERVER_KEYS } from '#rooms/server-keys';
import { RoomsHere } from './inbound/rooms-here.js';
import { ASKING_PORTS, ASKING_PROVIDERS } from './asking/asking-providers.js';
import { PeersProfiles } from './asking/peers-profiles.js';
import { PeersSpaces } from './asking/peers-spaces.js';
import { EPHEMERAL_PROVIDERS } from './ephemeral/ephemeral-providers.js';
import { DEVICE_PROVIDERS } from './devices/device-providers.js';
import { AuthenticateRequest } from './doors/authenticate-request.js';
import { JOINING_CONTROLLERS } from './doors/joining-controllers.js';
import { JOINING_PROVIDERS } from './joining/joining-providers.js';
import { SendTransactionController } from './doors/send-transaction.controller.js';
import { SigningKeysController } from './doors/signing-keys.controller.js';
import { KEY_PROVIDERS } from './keys/key-providers.js';
import { KeyRing } from './keys/key-ring.js';
import { Refusals } from './refusals/refusals.js';
import { RECEIVING_PROVIDERS } from './receiving-providers.js';
import { PolicyServers } from './policy/policy-servers.js';
import { Destinations } from './sending/destinations.js';
import { Outbox } from './sending/outbox.js';
import { SENDING_PROVIDERS } from './sending/sending-providers.js';
import { ServersInRooms } from './sending/servers-in-rooms.js';
import { SERVING_DOORS, SERVING_PROVIDERS } from './serving/serving-providers.js';
import { Discovery } from './discovery/discovery.js';
import { CallsController } from './doors/calls.controller.js';
import { CopiesElsewhere } from './copies-elsewhere.js';
import { DevicesController } from './doors/devices.controller.js';
import { DiscoveryController } from './doors/discovery.controller.js';
import { MediaController } from './doors/media.controller.js';
import { FederatedServers } from './peers/federated-servers.js';
import { PEER_PROVIDERS } from './peers/peer-providers.js';
import { Peers } from './peers/peers.js';

/** Rooms shared with other servers: the server-server API in both directions. */
@Global()
@Module({
  imports: [CqrsModule],
  controllers: [
    CallsController,
    DevicesController,
    DiscoveryController,
    ...JOINING_CONTROLLERS,
    MediaController,
    SendTransactionController,
    SigningKeysController,
    ...SERVING_DOORS,
  ],
  providers: [
    CopiesElsewhere,
    ...PEER_PROVIDERS,
    ...KEY_PROVIDERS,
    ...DEVICE_PROVIDERS,
    ...EPHEMERAL_PROVIDERS,
    ...JOINING_PROVIDERS,
    ...RECEIVING_PROVIDERS,
    ...SENDING_PROVIDERS,
    ...ASKING_PROVIDERS,
    ...SERVING_PROVIDERS,
  ],
  exports: [
    ...ASKING_PORTS,
    PeersProfiles,
    PeersSpaces,
    PolicyServers,
    AuthenticateRequest,
    DEVICE_PEERS,
    Destinations,
    Discovery,
    FederatedServers,
    HISTORY_ELSEWHERE,
    KeyRing,
    Outbox,
    Peers,
    REMOTE_ROOMS,
    Refusals,
    RoomsHere,
    SERVER_KEYS,
    ServersInRooms,
  ],
})
export class FederationModule {}
