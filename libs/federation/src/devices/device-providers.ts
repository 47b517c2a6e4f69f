import type { Provider } from '@nestjs/common';
import { DEVICE_PEERS } from '#devices/device-peers';
import { AskDevicePeers } from './ask-device-peers.js';
import { ServersSharing } from './servers-sharing.js';
import { WakeResync } from './wake-resync.js';

/** What devices of other servers need. */
export const DEVICE_PROVIDERS: readonly Provider[] = [
  ServersSharing,
  WakeResync,
  { provide: DEVICE_PEERS, useClass: AskDevicePeers },
];
