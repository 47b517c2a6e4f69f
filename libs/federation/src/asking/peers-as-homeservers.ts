import { Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { OpenIdTokens } from '#accounts/openid/openid-tokens';
import { CONFIG, type Config } from '#config/config';
import { readJsonBody } from '#http/json-body';
import type { Homeservers, OpenIdUser } from '#identity/homeservers';
import type { JsonObject } from '#kernel/json';
import { isUserId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import { PeerRefused, PeerUnavailable } from '#kernel/peer-errors';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { AuthenticateRequest } from '../doors/authenticate-request.js';
import { BoundInvites } from '../joining/bound-invites.js';
import { orV1 } from '../joining/or-v1.js';
import { pathOf } from '../peers/path-of.js';
import { Peers } from '../peers/peers.js';

const ONBIND = '/_matrix/federation/v1/3pid/onbind';
const USERINFO = '/_matrix/federation/v1/openid/userinfo';
const TIMEOUT_MS = 10_000;
/** It asks other servers before it answers. */
const ONBIND_TIMEOUT_MS = 60_000;
const MOST_BYTES = 64 * 1024;
const X_MATRIX = /^x-matrix[ \t]/i;

/** Homeservers as an identity server asks them, and is asked by them: the server-server API. */
@Injectable()
export class PeersAsHomeservers implements Homeservers {
  constructor(
    private readonly peers: Peers,
    private readonly authenticate: AuthenticateRequest,
    private readonly tokens: OpenIdTokens,
    private readonly bound: BoundInvites,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  /** A server vouches for its own users alone. What it is asked holds the token, and so does what is said of a failure: nobody is told of that. */
  async findOpenIdUser(server: ServerName, token: string): Promise<OpenIdUser | undefined> {
    if (server === this.config.serverName) return this.tokens.findOwner(token);
    const path = pathOf(USERINFO, {}, { access_token: token });
    const limits = {
      timeoutMs: TIMEOUT_MS,
      maxBytes: MOST_BYTES,
      insists: true,
    };
    try {
      const { sub } = await this.peers.ask(server, {
        method: 'GET',
        path,
        isUnsigned: true,
        ...limits,
      });
      return typeof sub === 'string' && isUserId(sub) && serverNameOf(sub) === server ? { userId: sub } : undefined;
    } catch (error) {
      if (error instanceof PeerRefused || error instanceof PeerUnavailable) return undefined;
      throw error;
    }
  }

  /** Some know it by another method, as the identity service API has it. */
  async tellBound(userId: UserId, told: JsonObject): Promise<void> {
    const server = serverNameOf(userId);
    if (server === this.config.serverName) return this.bound.take(told);
    const tell = (method: 'PUT' | 'POST') =>
      this.peers.ask(server, { method, path: ONBIND, content: told, timeoutMs: ONBIND_TIMEOUT_MS });
    await orV1(
      () => tell('PUT'),
      () => tell('POST'),
    );
  }

  async findOrigin(request: FastifyRequest): Promise<ServerName | undefined> {
    const { method, url: uri, ip: from } = request;
    const { rawHeaders } = request.raw;
    const authorization = rawHeaders.filter(
      (_, i) => i % 2 === 1 && rawHeaders[i - 1]!.toLowerCase() === 'authorization',
    );
    if (!authorization.some((header) => X_MATRIX.test(header))) return undefined;
    const readContent = (): Promise<string> =>
      Promise.resolve(
        canonicalJson(readJsonBody(request, { exactNumbers: true }), {
          lenient: true,
        }),
      );
    return this.authenticate.originOf({
      method,
      uri,
      authorization,
      from,
      readContent,
    });
  }
}
