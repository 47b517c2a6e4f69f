import { Inject, Injectable } from '@nestjs/common';
import { OpenIdTokens } from '#accounts/openid/openid-tokens';
import { CONFIG, type Config } from '#config/config';
import { pathOf } from '#federation/peers/path-of';
import { Peers } from '#federation/peers/peers';
import { isUserId, type RoomId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { PeerRefused, PeerUnavailable } from '#kernel/peer-errors';
import { VIEWS, type Views } from '#projections/views';
import { isServerIn } from '#rooms/reading/server-standing';
import { type Caller, callerOf } from './sealed-seat.js';

/** What a client has of its server that says who it is: client-server API, "OpenID". */
export interface OpenIdToken {
  readonly server: ServerName;
  readonly accessToken: string;
}

const USERINFO = '/_matrix/federation/v1/openid/userinfo';
const TIMEOUT_MS = 10_000;
const MOST_BYTES = 64 * 1024;

/** Who somebody is, by a token of their own server. */
@Injectable()
export class OpenIdUsers {
  constructor(
    private readonly tokens: OpenIdTokens,
    private readonly peers: Peers,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  /**
   * Whom a token is of that somebody shows who wants something of a room: another server is asked only where it is in the room. Throws M_UNAUTHORIZED where
   * it is of nobody, or that server does not say.
   */
  async find(roomId: RoomId, { server, accessToken }: OpenIdToken): Promise<Caller> {
    const isOurs = server === this.config.serverName;
    if (isOurs) {
      const owner = await this.tokens.findOwner(accessToken);
      if (owner !== undefined) return callerOf(owner);
    } else {
      const userId = (await isServerIn(this.views, roomId, server)) && (await this.#ask(server, accessToken));
      if (typeof userId === 'string') return { userId };
    }
    throw new MatrixError('M_UNAUTHORIZED', 'The OpenID token is of nobody');
  }

  /** A server vouches for its own users alone. What it is asked holds the token, and so does what is said of a failure. */
  async #ask(server: ServerName, accessToken: string): Promise<UserId | undefined> {
    const path = pathOf(USERINFO, {}, { access_token: accessToken });
    const limits = { timeoutMs: TIMEOUT_MS, maxBytes: MOST_BYTES, insists: true };
    try {
      const { sub } = await this.peers.ask(server, { method: 'GET', path, isUnsigned: true, ...limits });
      return typeof sub === 'string' && isUserId(sub) && serverNameOf(sub) === server ? sub : undefined;
    } catch (error) {
      if (error instanceof PeerRefused || error instanceof PeerUnavailable) return undefined;
      throw error;
    }
  }
}
