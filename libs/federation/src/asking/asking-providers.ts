import type { FactoryProvider, Provider } from '@nestjs/common';
import { REMOTE_PROFILES } from '#accounts/remote-profiles';
import { HOMESERVERS } from '#identity/homeservers';
import { REMOTE_DIRECTORIES } from '#directory/remote-directories';
import { REMOTE_MEDIA } from '#media/remote-media';
import { Peers } from '../peers/peers.js';
import { PeersMedia } from '../media/peers-media.js';
import { PeersAsHomeservers } from './peers-as-homeservers.js';
import { PeersDirectories } from './peers-directories.js';
import { ROOM_POLICY } from '#rooms/room-policy';
import { SPACES_ELSEWHERE } from '#rooms/spaces-elsewhere';
import { TIMES_ELSEWHERE } from '#rooms/times-elsewhere';
import { PeersProfiles } from './peers-profiles.js';
import { PeersSpaces } from './peers-spaces.js';
import { PeersTimes } from './peers-times.js';
import { PolicyServers } from '../policy/policy-servers.js';

const policyServers: FactoryProvider<PolicyServers> = {
  provide: PolicyServers,
  inject: [Peers],
  useFactory: (peers: Peers) => new PolicyServers(peers),
};

/** What clients are told of other servers' users and rooms, and what policy servers say of events. */
export const ASKING_PROVIDERS: readonly Provider[] = [
  PeersProfiles,
  PeersSpaces,
  { provide: HOMESERVERS, useClass: PeersAsHomeservers },
  { provide: REMOTE_DIRECTORIES, useClass: PeersDirectories },
  { provide: REMOTE_MEDIA, useClass: PeersMedia },
  { provide: REMOTE_PROFILES, useExisting: PeersProfiles },
  { provide: SPACES_ELSEWHERE, useExisting: PeersSpaces },
  { provide: TIMES_ELSEWHERE, useClass: PeersTimes },
  policyServers,
  { provide: ROOM_POLICY, inject: [PolicyServers], useFactory: ({ policy }: PolicyServers) => policy },
];
/** Who in other domains is given them. */
export const ASKING_PORTS: readonly symbol[] = [
  HOMESERVERS,
  REMOTE_DIRECTORIES,
  REMOTE_MEDIA,
  REMOTE_PROFILES,
  SPACES_ELSEWHERE,
  TIMES_ELSEWHERE,
  ROOM_POLICY,
];
