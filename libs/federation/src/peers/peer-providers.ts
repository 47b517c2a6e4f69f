import type { Provider } from '@nestjs/common';
import { Discovery, RESOLVE_SRV, systemResolveSrv } from '../discovery/discovery.js';
import { FederatedServers } from './federated-servers.js';
import { Peers } from './peers.js';

/** What asks other servers. */
export const PEER_PROVIDERS: readonly Provider[] = [
  { provide: RESOLVE_SRV, useValue: systemResolveSrv },
  Discovery,
  FederatedServers,
  Peers,
];
