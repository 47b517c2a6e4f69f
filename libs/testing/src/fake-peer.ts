import { once } from 'node:events';
import { type IncomingMessage, request as httpRequest, type ServerResponse } from 'node:http';
import { createServer, request as httpsRequest, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { ServerName } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { signRequest } from '#protocol/signing/sign-request';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { parseJson } from '#protocol/canonical-json/parse-json';
import { encodeBase64 } from '#protocol/signing/base64';
import { signJson } from '#protocol/signing/sign-json';
import { bodyOf } from './body-of.js';
import { ForeignServer } from './receiving/foreign-server.js';
import { TestAuthority } from './test-authority.js';

/** Who vouches for the fake peers of a process. */
export const PEER_AUTHORITY = new TestAuthority();

/** What came to a fake peer. */
export interface PeerCall {
  readonly method: string;
  /** As it was sent, with its query. */
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** The body where it is a JSON object. */
  readonly content: JsonObject;
  /** What the parts in parentheses of the route's path matched, unescaped. */
  readonly parts: readonly string[];
}

export interface PeerAnswer {
  readonly status?: number;
  readonly body: JsonObject;
}

/** Answers a call; what answers nothing writes to the response itself, or leaves it as it is. */
export type PeerRoute = (
  call: PeerCall,
  response: ServerResponse,
) => PeerAnswer | undefined | Promise<PeerAnswer | undefined>;

export interface AskOptions {
  /** For whom the request is signed; the server that is asked unless told. */
  readonly destination: ServerName;
  readonly method?: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly content?: JsonObject;
  /** Instead of the header that is signed for it; an empty text: none. */
  readonly authorization?: string;
}

interface Route {
  readonly method: string;
  readonly path: RegExp;
  readonly answer: PeerRoute;
}

/**
 * Another server, on loopback, with a key and a certificate of its own: it answers what a test lets it answer, over HTTPS, and asks
 * with signatures. Who asks it trusts `PEER_AUTHORITY` and allows private addresses. Its name has the port, so that nothing is looked up.
 */
export class FakePeer {
  /** What has been asked, the oldest first. */
  readonly calls: PeerCall[] = [];
  /** Its name and key, and what makes events of it. */
  readonly server: ForeignServer;
  readonly #routes: Route[] = [];

  private constructor(
    private readonly http: Server,
    seed: number,
  ) {
    const { port } = http.address() as AddressInfo; // it listens on a port
    this.server = new ForeignServer(`localhost:${port}`, seed);
    this.on('GET', '/_matrix/key/v2/server(?:/.*)?', () => ({ body: this.keys() }));
    this.on('GET', '/_matrix/federation/v1/version', () => ({ body: { server: { name: 'Fake', version: '1' } } }));
  }

  /** The seed is of its key. */
  static async start(seed = 7): Promise<FakePeer> {
    let peer: FakePeer | undefined;
    const { certificate: cert, key } = PEER_AUTHORITY.issue();
    const http = createServer({ cert, key }, (request, response) => {
      void peer?.answer(request, response);
    });
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    peer = new FakePeer(http, seed);
    return peer;
  }

  get name(): ServerName {
    return this.server.name;
  }

  /** Answers calls whose path, without its query, matches as a whole; the route that was told last comes first. */
  on(method: string, path: string, answer: PeerRoute): void {
    this.#routes.unshift({ method, path: new RegExp(`^${path}$`), answer });
  }

  /** Its keys as it publishes them, signed. */
  keys(validUntil = 4_000_000_000_000): JsonObject {
    const { signingKey, name } = this.server;
    const verifyKeys = { [signingKey.keyId]: { key: encodeBase64(signingKey.publicKey) } };
    const keys = { server_name: name, valid_until_ts: validUntil, verify_keys: verifyKeys, old_verify_keys: {} };
    return signJson(keys, name, signingKey);
  }

  /** Asks a server at an origin (`http://127.0.0.1:8008`), as itself. */
  ask(
    origin: string,
    { destination, method = 'GET', path, content, authorization }: AskOptions,
  ): Promise<{
    readonly status: number;
    readonly body: JsonObject;
  }> {
    const unsigned = { method, uri: path, origin: this.name, destination, content };
    const signed = signRequest(unsigned, this.server.signingKey);
    const header = authorization ?? signed.authorization;
    const headers = header === '' ? {} : { authorization: header };
    const send = origin.startsWith('https:') ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      const sent = send(
        `${origin}${path}`,
        { method, headers, ca: PEER_AUTHORITY.certificate, agent: false },
        (response) => {
          readText(response).then(
            (text) => resolve({ status: response.statusCode ?? 0, body: objectOf(text) }),
            (error: Error) => reject(error),
          );
        },
      );
      sent.on('error', reject).end(signed.body);
    });
  }

  /** Ends it, and every connection to it. */
  async stop(): Promise<void> {
    this.http.closeAllConnections();
    await new Promise((resolve) => this.http.close(resolve));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request;
    const body = await bodyOf(request);
    const [path = ''] = url.split('?', 1);
    const route = this.#routes.find((one) => one.method === method && one.path.test(path));
    const parts = (route?.path.exec(path) ?? []).slice(1).map((part) => decodeURIComponent(part ?? ''));
    const call = { method, path: url, headers, body, content: objectOf(body), parts };
    this.calls.push(call);
    const unknown = { status: 404, body: { errcode: 'M_UNRECOGNIZED', error: 'There is no such path' } };
    const answer = route === undefined ? unknown : await route.answer(call, response);
    if (answer === undefined) return;
    response.writeHead(answer.status ?? 200, { 'content-type': 'application/json' });
    response.end(canonicalJson(answer.body, { lenient: true }));
  }
}

async function readText(stream: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString();
}

/** A list, as some answers of old are, is the `list` of an object. */
function objectOf(text: string): JsonObject {
  if (text === '') return {};
  const value = parseJson(text, { lenient: true });
  if (Array.isArray(value)) return { list: value };
  return isJsonObject(value) ? value : {};
}
