import type { Provider } from '@nestjs/common';
import { DEVICE_PEERS } from '#devices/device-peers';
import { AskDevicePeers } from './ask-device-peers.js';
import { WakeResync } from './wake-resync.js';

/** What devices of other servers need. */
export const DEVICE_PROVIDERS: readonly Provider[] = [WakeResync, { provide: DEVICE_PEERS, useClass: AskDevicePeers }];
