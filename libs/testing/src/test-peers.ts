import { type Config, loadConfig } from '#config/config';
import { Discovery, type ResolveSrv } from '#federation/discovery/discovery';
import { FederatedServers } from '#federation/peers/federated-servers';
import { Peers } from '#federation/peers/peers';
import type { ConnectorOptions } from '#http/outgoing/guarded-connector';
import { Outgoing } from '#http/outgoing/outgoing';
import { systemClock } from '#kernel/clock';
import type { EventAuthor } from '#rooms/decide/decide-event';
import { PEER_AUTHORITY } from './fake-peer.js';
import { TEST_AUTHOR } from './local-room.js';

export interface TestPeersOptions extends Partial<ConnectorOptions> {
  readonly author?: EventAuthor;
  readonly settings?: Readonly<Record<string, string>>;
  readonly resolveSrv?: ResolveSrv;
  readonly stopwatch?: { elapsed(): number };
}

/** The other servers as one server of a test sees them: those on loopback are spoken to, with certificates of the tests' authority. */
export class TestPeers {
  readonly outgoing: Outgoing;
  readonly discovery: Discovery;
  readonly config: Config;
  readonly peers: Peers;

  constructor({
    author = TEST_AUTHOR,
    settings,
    resolveSrv,
    stopwatch = systemClock,
    ...options
  }: TestPeersOptions = {}) {
    const { serverName, signingKey } = author;
    this.outgoing = new Outgoing({ ca: PEER_AUTHORITY.certificate, allowPrivate: true, connectMs: 10_000, ...options });
    const none: ResolveSrv = () => Promise.reject(Object.assign(new Error('none'), { code: 'ENOTFOUND' }));
    this.discovery = new Discovery(this.outgoing, stopwatch, resolveSrv ?? none);
    this.config = loadConfig({ ANNALS_SERVER_NAME: serverName, ANNALS_FEDERATION_NOTARIES: 'off', ...settings });
    const servers = new FederatedServers(this.config);
    this.peers = new Peers(this.config, signingKey, stopwatch, servers, this.discovery, this.outgoing);
  }

  close(): Promise<void> {
    return this.outgoing.onModuleDestroy();
  }
}
