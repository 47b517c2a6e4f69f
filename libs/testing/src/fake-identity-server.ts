import { hash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { bodyOf } from './body-of.js';
import { TestAuthority } from './test-authority.js';

/** Who vouches for the identity servers of a process. */
export const IDENTITY_AUTHORITY = new TestAuthority();

type Answer = readonly [status: number, body: object];
type Body = Readonly<Record<string, unknown>>;

const NOT_FOUND: Answer = [404, { errcode: 'M_UNRECOGNIZED', error: 'Nothing is here' }];

/** An identity server (identity service API) that knows what the test tells it, and keeps what it was asked. */
export class FakeIdentityServer {
  /** `address medium` -> user id. */
  readonly bindings = new Map<string, string>();
  /** Each path that was asked for, in order. */
  readonly paths: string[] = [];
  /** All that was ever looked up. */
  readonly lookedUp: string[] = [];
  /** The OpenID tokens that were exchanged, with the servers that are to vouch for them. */
  readonly grants: Body[] = [];
  readonly accepted = new Set<string>();
  algorithms: readonly string[] = ['none', 'sha256'];
  pepper = 'matrixrocks';
  policies: Body = {};
  /** What a request is answered instead; undefined: as ever. */
  instead: (path: string) => Answer | undefined = () => undefined;
  readonly #tokens = new Set<string>();
  readonly #server: Server;
  #port = 0;

  private constructor() {
    const { certificate: cert, key } = IDENTITY_AUTHORITY.issue();
    this.#server = createServer({ cert, key }, (request, response) => {
      void this.#answer(request).then(([status, body]) =>
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
      );
    });
  }

  /** Starts one, on a port of its own unless told which. */
  static async start(port = 0): Promise<FakeIdentityServer> {
    const server = new FakeIdentityServer();
    server.#server.listen(port, '127.0.0.1');
    await once(server.#server, 'listening');
    server.#port = (server.#server.address() as AddressInfo).port;
    return server;
  }

  /** Its name, as clients are given it. */
  get name(): string {
    return `localhost:${this.#port}`;
  }

  /** How many of its tokens still hold. */
  get sessions(): number {
    return this.#tokens.size;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const text = await bodyOf(request);
    const path = `${request.method} ${request.url?.replace('/_matrix/identity/v2', '')}`;
    this.paths.push(path);
    const instead = this.instead(path);
    if (instead !== undefined) return instead;
    const body = (text === '' ? {} : JSON.parse(text)) as Body;
    if (path === 'GET /terms') return [200, { policies: this.policies }];
    if (path === 'POST /account/register') {
      this.grants.push(body);
      const token = randomBytes(8).toString('hex');
      this.#tokens.add(token);
      return [200, { token }];
    }
    const token = request.headers.authorization?.replace('Bearer ', '') ?? '';
    if (!this.#tokens.has(token)) return [401, { errcode: 'M_UNAUTHORIZED', error: 'Who are you?' }];
    if (path === 'POST /account/logout') return [200, (this.#tokens.delete(token), {})];
    if (path === 'POST /terms') {
      for (const url of body['user_accepts'] as string[]) this.accepted.add(url);
      return [200, {}];
    }
    const isMissing = Object.values(this.policies).some((policy) => !this.#isAccepted(policy as Body));
    if (isMissing) return [403, { errcode: 'M_TERMS_NOT_SIGNED', error: 'Please accept our terms' }];
    if (path === 'GET /hash_details') return [200, { lookup_pepper: this.pepper, algorithms: this.algorithms }];
    return path === 'POST /lookup' ? this.#lookUp(body) : NOT_FOUND;
  }

  #isAccepted(policy: Body): boolean {
    return Object.values(policy).some((text) => this.accepted.has(String((text as Body | undefined)?.['url'])));
  }

  #lookUp({ pepper, addresses, algorithm }: Body): Answer {
    if (algorithm !== 'sha256') return [400, { errcode: 'M_INVALID_PARAM', error: 'Hash them' }];
    if (pepper !== this.pepper) return [400, { errcode: 'M_INVALID_PEPPER', error: 'It was rotated' }];
    this.lookedUp.push(...(addresses as string[]));
    const hashes = [...this.bindings].map(
      ([address, userId]) => [hash('sha256', `${address} ${this.pepper}`, 'base64url'), userId] as const,
    );
    const known = new Map(hashes);
    const asked = (addresses as string[]).filter((each) => known.has(each));
    return [200, { mappings: Object.fromEntries(asked.map((each) => [each, known.get(each)])) }];
  }
}
