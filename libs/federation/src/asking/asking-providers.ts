import type { Provider } from '@nestjs/common';
import { REMOTE_PROFILES } from '#accounts/remote-profiles';
import { REMOTE_DIRECTORIES } from '#directory/remote-directories';
import { REMOTE_MEDIA } from '#media/remote-media';
import { PeersMedia } from '../media/peers-media.js';
import { PeersDirectories } from './peers-directories.js';
import { SPACES_ELSEWHERE } from '#rooms/spaces-elsewhere';
import { TIMES_ELSEWHERE } from '#rooms/times-elsewhere';
import { PeersProfiles } from './peers-profiles.js';
import { PeersSpaces } from './peers-spaces.js';
import { PeersTimes } from './peers-times.js';

/** What clients are told of other servers' users and rooms. */
export const ASKING_PROVIDERS: readonly Provider[] = [
  PeersProfiles,
  PeersSpaces,
  { provide: REMOTE_DIRECTORIES, useClass: PeersDirectories },
  { provide: REMOTE_MEDIA, useClass: PeersMedia },
  { provide: REMOTE_PROFILES, useExisting: PeersProfiles },
  { provide: SPACES_ELSEWHERE, useExisting: PeersSpaces },
  { provide: TIMES_ELSEWHERE, useClass: PeersTimes },
];
/** Who in other domains is given them. */
export const ASKING_PORTS: readonly symbol[] = [
  REMOTE_DIRECTORIES,
  REMOTE_MEDIA,
  REMOTE_PROFILES,
  SPACES_ELSEWHERE,
  TIMES_ELSEWHERE,
];
