import { Inject, Injectable } from '@nestjs/common';
import type { SessionName } from '#accounts/threepids/validation-sessions';
import { CONFIG, type Config } from '#config/config';
import { Outgoing, type OutgoingAnswer, OutgoingFailure } from '#http/outgoing/outgoing';
import { isServerName, type ServerName } from '#kernel/ids';
import { findJsonObject, isJsonObject, type JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { PeerRefused, PeerUnavailable, TokenRefused } from '#kernel/peer-errors';
import { compileGlob, type TextMatcher } from '#protocol/glob';
import { httpsPlace } from './https-place.js';

/** By what a user proves to another service who they are: client-server API, module "OpenID". */
export interface OpenIdGrant {
  readonly access_token: string;
  readonly token_type: 'Bearer';
  readonly matrix_server_name: ServerName;
  readonly expires_in: number;
}

/** How an identity server wants addresses hashed. */
export interface HashDetails {
  readonly pepper: string;
  readonly algorithms: readonly string[];
}

/** What an identity server is asked. */
export interface IdentityRequest {
  readonly method: 'GET' | 'POST';
  /** Behind `/_matrix/identity/v2`, or what `base` says, escaped. */
  readonly path: string;
  readonly base?: string;
  readonly body?: object;
  /** The token of the user as whom it is asked; absent where none is needed. */
  readonly token?: string;
  /** What stands in the header instead, for a request that this server has signed. */
  readonly authorization?: string;
}

/** Where identity servers are asked. */
export const IDENTITY_BASE = '/_matrix/identity/v2';
/** The same in API v1, in which nobody says who they are. */
const V1_BASE = '/_matrix/identity/api/v1';
/** Below which all of an identity server is. */
const IDENTITY_PATHS = '/_matrix/identity/';
const HTTPS_PORT = 443;
const WITHIN_MS = 20_000;
const TOKEN = /^[!-~]+$/;
/** A thousand mappings, and policies in many languages, have less. */
const MAX_BYTES = 1024 * 1024;
const MAX_PEPPER = 512;
const MAX_TOKEN = 4096;

/**
 * Identity servers, as clients speak to them: identity service API. Users choose which, so they are connected to by HTTPS alone, at addresses of
 * the Internet unless the operator vouches for them, and nobody follows a redirect. What is refused is thrown as PeerRefused, what is away or makes no
 * sense as PeerUnavailable; what may not be asked as M_SERVER_NOT_TRUSTED. No token and no address is in any message.
 */
@Injectable()
export class IdentityServers {
  readonly #allowed: readonly TextMatcher[];
  readonly #privateServers: readonly string[];

  constructor(
    private readonly outgoing: Outgoing,
    @Inject(CONFIG) { identityServers }: Pick<Config, 'identityServers'>,
  ) {
    this.#allowed = identityServers.allowed.map((name) => compileGlob(name));
    this.#privateServers = identityServers.privateServers;
  }

  /**
   * The identity server that a client names. Throws M_INVALID_PARAM for what names none, and M_SERVER_NOT_TRUSTED for one that the operator does not
   * let anybody ask.
   */
  parseServer(text: unknown): ServerName {
    const server = parseName(text);
    this.#checkMayBeAsked(server);
    return server;
  }

  /** The same; undefined for one that the operator does not let anybody ask. */
  findServer(text: unknown): ServerName | undefined {
    const server = parseName(text);
    return this.#mayBeAsked(server) ? server : undefined;
  }

  /** Exchanges an OpenID token for a token of the identity server: `POST /account/register`. */
  async register(server: ServerName, grant: OpenIdGrant): Promise<string> {
    const { token } = await this.ask(server, { method: 'POST', path: '/account/register', body: grant });
    if (typeof token !== 'string' || token === '' || token.length > MAX_TOKEN) throw makesNoSense('a token');
    return token;
  }

  /** Ends a token of the identity server: `POST /account/logout`. */
  async logOut(server: ServerName, token: string): Promise<void> {
    await this.ask(server, { method: 'POST', path: '/account/logout', body: {}, token });
  }

  /** `GET /hash_details`. */
  async hashDetails(server: ServerName, token: string): Promise<HashDetails> {
    const answer = await this.ask(server, { method: 'GET', path: '/hash_details', token });
    const { lookup_pepper: pepper, algorithms } = answer;
    if (typeof pepper !== 'string' || pepper.length > MAX_PEPPER || !Array.isArray(algorithms)) {
      throw makesNoSense('hash details');
    }
    return { pepper, algorithms: algorithms.filter((name) => typeof name === 'string') };
  }

  /** What of some hashed addresses the server knows, by the hashes: `POST /lookup` by sha256. What it answers besides is left out. */
  async lookup(
    server: ServerName,
    token: string,
    pepper: string,
    hashes: readonly string[],
  ): Promise<ReadonlyMap<string, string>> {
    const body = { algorithm: 'sha256', pepper, addresses: hashes };
    const { mappings } = await this.ask(server, { method: 'POST', path: '/lookup', body, token });
    if (!isJsonObject(mappings)) throw makesNoSense('mappings');
    const found = new Map<string, string>();
    for (const hash of hashes) {
      const userId = Object.hasOwn(mappings, hash) ? mappings[hash] : undefined;
      if (typeof userId === 'string') found.set(hash, userId);
    }
    return found;
  }

  /** The terms that the server has, as it says them: `GET /terms`. */
  async terms(server: ServerName): Promise<JsonObject> {
    const { policies } = await this.ask(server, { method: 'GET', path: '/terms' });
    if (!isJsonObject(policies)) throw makesNoSense('policies');
    return policies;
  }

  /** Says which terms, by their URLs, the user accepts: `POST /terms`. */
  async acceptTerms(server: ServerName, token: string, urls: readonly string[]): Promise<void> {
    await this.ask(server, { method: 'POST', path: '/terms', body: { user_accepts: urls }, token });
  }

  /**
   * What was shown in a validation, as that server says it: `GET /3pid/getValidated3pid`, without a token as in API v1. Refused where nothing was.
   */
  findValidated(
    server: ServerName,
    { sid, clientSecret }: SessionName,
    token: string | undefined,
  ): Promise<JsonObject> {
    const query = new URLSearchParams({ sid, client_secret: clientSecret }).toString();
    const request = { method: 'GET', path: `/3pid/getValidated3pid?${query}` } as const;
    return this.ask(server, token === undefined ? { ...request, base: V1_BASE } : { ...request, token });
  }

  /**
   * Whether a key by which an invitation was signed holds still, as the URL says that is to be asked for it: identity service API, "Key management". It is
   * of whoever sent that invitation, and asked with the same care as an identity server that a user names, and no other is asked than users may name. Of a machine
   * that the operator vouches for as an identity server it is asked as one, and nothing else of it. Throws M_SERVER_NOT_TRUSTED for one that the operator does not
   * let anybody ask: who lets somebody into a room has to know that the key holds.
   */
  async isKeyValid(validityUrl: string, publicKey: string): Promise<boolean> {
    const url = URL.canParse(validityUrl) ? new URL(validityUrl) : undefined;
    if (url?.protocol !== 'https:' || url.username !== '' || url.password !== '') return false;
    this.#checkMayBeAsked(url.host, `${url.hostname}:${url.port === '' ? HTTPS_PORT : url.port}`);
    if (this.#mayBePrivate(url.host) && !url.pathname.startsWith(IDENTITY_PATHS)) return false;
    url.searchParams.set('public_key', publicKey);
    const path = `${url.pathname}${url.search}`;
    const headers = { host: url.host, accept: 'application/json' };
    const { status, body } = await this.#send(url.host, { method: 'GET', path, headers });
    const answer = findJsonObject(body);
    if (status >= 500 || answer === undefined) throw makesNoSense('whether a key holds');
    return status < 300 && answer['valid'] === true;
  }

  /** Asks anything else. */
  async ask(
    server: ServerName,
    { method, path, base = IDENTITY_BASE, body, ...by }: IdentityRequest,
  ): Promise<JsonObject> {
    // No server gives out what no header can hold.
    if (by.token !== undefined && !TOKEN.test(by.token)) throw new TokenRefused(401, {});
    const authorization = by.authorization ?? (by.token === undefined ? undefined : `Bearer ${by.token}`);
    const { status, body: bytes } = await this.#send(server, {
      method,
      path: base + path,
      headers: {
        host: server,
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(authorization === undefined ? {} : { authorization }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer = findJsonObject(bytes);
    if (status === 401 && by.token !== undefined) throw new TokenRefused(status, answer ?? {});
    if (status < 200 || status >= 300) throw new PeerRefused(status, answer ?? {});
    if (answer === undefined) throw makesNoSense('JSON');
    return answer;
  }

  /** By any of its names. Throws M_SERVER_NOT_TRUSTED. */
  #checkMayBeAsked(...names: readonly string[]): void {
    if (this.#mayBeAsked(...names)) return;
    throw new MatrixError('M_SERVER_NOT_TRUSTED', 'This server may not ask that identity server');
  }

  #mayBeAsked(...names: readonly string[]): boolean {
    return names.some((name) => this.#allowed.some((matches) => matches(name)));
  }

  #mayBePrivate(server: string): boolean {
    const { hostname } = new URL(`https://${server}`);
    return this.#privateServers.some((known) => known === hostname || known === server);
  }

  async #send(
    server: string,
    request: Pick<Parameters<Outgoing['send']>[1], 'method' | 'path' | 'headers' | 'body'>,
  ): Promise<OutgoingAnswer> {
    try {
      return await this.outgoing.send(httpsPlace(server, this.#mayBePrivate(server)), {
        ...request,
        withinMs: WITHIN_MS,
        maxBytes: MAX_BYTES,
      });
    } catch (error) {
      if (!(error instanceof OutgoingFailure)) throw error;
      throw new PeerUnavailable('The identity server cannot be reached', { cause: error });
    }
  }
}

function parseName(text: unknown): ServerName {
  if (typeof text !== 'string' || !isServerName(text)) {
    throw new MatrixError('M_INVALID_PARAM', 'id_server: must be the name of a server');
  }
  return text.toLowerCase() as ServerName; // still one
}

function makesNoSense(what: string): PeerUnavailable {
  return new PeerUnavailable(`The identity server answers no ${what}`);
}
