import { Injectable } from '@nestjs/common';
import { parseThreepid, type Threepid } from '#accounts/threepids/threepid';
import { RateLimits } from '#http/rate-limits';
import { isUserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { PeerRefused } from '#kernel/peer-errors';
import type { Requester } from '#kernel/requester';
import type { AddressInvitations, AskedAddress, KnownAddress, RoomToTell } from '#rooms/address-invitations';
import { IdentityServers } from './identity-servers.js';
import { IdentityTokens } from './identity-tokens.js';
import { LookUpThreepids } from './look-up-threepids.js';
import { readOffer } from './read-offer.js';
import { StoreInvitation } from '../invitations/store-invitation.js';

/** Invites people by their addresses, by what identity servers know of them: client-server API, "Third-party invites". */
@Injectable()
export class InviteByAddress implements AddressInvitations {
  constructor(
    private readonly servers: IdentityServers,
    private readonly tokens: IdentityTokens,
    private readonly lookUp: LookUpThreepids,
    private readonly limits: RateLimits,
    private readonly own: StoreInvitation,
  ) {}

  check({ idServer, medium, address }: AskedAddress): void {
    this.servers.parseServer(idServer);
    parseThreepid(medium, address);
  }

  offer(requester: Requester, asked: AskedAddress, room: RoomToTell): Promise<KnownAddress> {
    const server = this.servers.parseServer(asked.idServer);
    const threepid = parseThreepid(asked.medium, asked.address);
    this.limits.checkForUser('mail', requester.userId, requester.rateLimit);
    const by = { server, ...(asked.idAccessToken === undefined ? {} : { token: asked.idAccessToken }) };
    return this.tokens.use(requester, by, async (token) => {
      const [found] = await this.lookUp.run(server, token, [threepid]);
      if (found !== undefined) return { userId: found.userId };
      const body = { ...threepid, ...room, sender: requester.userId };
      return this.#store(
        () => this.servers.ask(server, { method: 'POST', path: '/store-invite', body, token }),
        threepid,
      );
    });
  }

  /** Of its own keys this server needs not ask anything. */
  async isKeyValid(validityUrl: string, publicKey: string): Promise<boolean> {
    const own = await this.own.isOwnKeyValid(validityUrl, publicKey);
    return own ?? this.servers.isKeyValid(validityUrl, publicKey);
  }

  /** Whose the address is may have become known meanwhile. */
  async #store(ask: () => Promise<JsonObject>, threepid: Threepid): Promise<KnownAddress> {
    try {
      return readOffer(await ask(), threepid);
    } catch (error) {
      const userId = error instanceof PeerRefused ? error.body['mxid'] : undefined;
      const isKnown = error instanceof PeerRefused && error.errcode === 'M_THREEPID_IN_USE';
      if (!isKnown || typeof userId !== 'string' || !isUserId(userId)) throw error;
      return { userId };
    }
  }
}
