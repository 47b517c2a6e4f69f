import type { FastifyRequest } from 'fastify';
import type { ServerName, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { PeerUnavailable } from '#kernel/peer-errors';

/** Injection token of the Homeservers. */
export const HOMESERVERS = Symbol.for('annals.Homeservers');

/** Whose an OpenID token is. */
export interface OpenIdUser {
  readonly userId: UserId;
  /** Of an account of this server: since when it is trusted (`#accounts/sessions/trusted-since`). */
  readonly trustedSince?: number | undefined;
}

/** The servers whose users use the identity server, this one among them. `federation` implements it. */
export interface Homeservers {
  /** Whose an OpenID token is that a server is to have issued; undefined where it says nobody's, or nothing. */
  findOpenIdUser(server: ServerName, token: string): Promise<OpenIdUser | undefined>;
  /** The server that signed a request; undefined where none did. Throws as request authentication does: server-server API. */
  findOrigin(request: FastifyRequest): Promise<ServerName | undefined>;
  /**
   * Tells the homeserver of a user of invitations that wait for them, as `PUT /3pid/onbind` has it: server-server API, "Third-party invites". Throws
   * PeerRefused, and PeerUnavailable where it is to be told again.
   */
  tellBound(userId: UserId, told: JsonObject): Promise<void>;
}

/** Where no other server is spoken to. */
export const NO_HOMESERVERS: Homeservers = Object.freeze({
  findOpenIdUser: findNobody,
  findOrigin: findNobody,
  tellBound: () => Promise.reject(new PeerUnavailable('No other server is spoken to')),
});

function findNobody(): Promise<undefined> {
  return Promise.resolve(undefined);
}
