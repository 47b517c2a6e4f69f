import type { FastifyRequest } from 'fastify';
import type { ServerName, UserId } from '#kernel/ids';

/** Injection token of the Homeservers. */
export const HOMESERVERS = Symbol.for('annals.Homeservers');

/** The servers whose users use the identity server, this one among them. `federation` implements it. */
export interface Homeservers {
  /** Whose an OpenID token is that a server is to have issued; undefined where it says nobody's, or nothing. */
  findOpenIdUser(server: ServerName, token: string): Promise<UserId | undefined>;
  /** The server that signed a request; undefined where none did. Throws as request authentication does: server-server API. */
  findOrigin(request: FastifyRequest): Promise<ServerName | undefined>;
}

/** Where no other server is spoken to. */
export const NO_HOMESERVERS: Homeservers = Object.freeze({ findOpenIdUser: findNobody, findOrigin: findNobody });

function findNobody(): Promise<undefined> {
  return Promise.resolve(undefined);
}
