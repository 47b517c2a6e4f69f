import { Injectable } from '@nestjs/common';
import type { DevicePeers, WantedOfServer } from '#devices/device-peers';
import { type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { PeerRefused, PeerUnavailable } from '#kernel/peer-errors';
import { FederatedServers } from '../peers/federated-servers.js';
import { pathOf } from '../peers/path-of.js';
import { type PeerRequest, Peers } from '../peers/peers.js';

const API = '/_matrix/federation/v1';

/** Asks other servers for the devices of their users and for keys of these: server-server API, "Device Management", "End-to-End Encryption". */
@Injectable()
export class AskDevicePeers implements DevicePeers {
  constructor(
    private readonly peers: Peers,
    private readonly servers: FederatedServers,
  ) {}

  speaksTo(server: ServerName): boolean {
    return this.servers.allows(server);
  }

  /** Who has no account there has no devices. */
  async list(userId: UserId, timeoutMs: number): Promise<JsonObject> {
    const path = pathOf(`${API}/user/devices/:userId`, { userId });
    try {
      return await this.#ask(serverNameOf(userId), { method: 'GET', path, timeoutMs });
    } catch (error) {
      const isUnknown = error instanceof PeerUnavailable && isNotFound(error.cause);
      if (isUnknown) return { user_id: userId, stream_id: 0, devices: [] };
      throw error;
    }
  }

  claim(server: ServerName, wanted: WantedOfServer, timeoutMs: number): Promise<JsonObject> {
    const users = [...wanted].map(([userId, devices]) => [userId, Object.fromEntries(devices)] as const);
    const content = { one_time_keys: Object.fromEntries(users) };
    return this.#ask(server, { method: 'POST', path: `${API}/user/keys/claim`, content, timeoutMs });
  }

  async #ask(server: ServerName, request: PeerRequest): Promise<JsonObject> {
    try {
      return await this.peers.ask(server, request);
    } catch (error) {
      if (error instanceof PeerRefused)
        throw new PeerUnavailable(`${server} refuses: ${error.message}`, { cause: error });
      throw error;
    }
  }
}

function isNotFound(cause: unknown): boolean {
  return cause instanceof PeerRefused && cause.status === 404 && cause.errcode === 'M_NOT_FOUND';
}
