import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { systemClock } from '#kernel/clock';
import { bodyOf } from './body-of.js';

/** What the provider claims of whoever sits before every browser. */
export interface Claimed extends Readonly<Record<string, unknown>> {
  readonly sub: string;
}

/**
 * An OpenID Connect provider on loopback that asks nobody anything, and says whatever a test has it say: which session it is, since when, that
 * somebody has logged out. For what providers of other makes do not do on request.
 */
export interface SmallOidcProvider {
  readonly issuer: string;
  /** The authorisation requests that came. */
  readonly asked: readonly URLSearchParams[];
  /** Who it is from here on. */
  as(claimed: Claimed): void;
  /** What happens before it says the next time who somebody is. */
  before(happens: () => Promise<unknown>): void;
  /** It signs by another key from here on. */
  changeKey(): Promise<void>;
  /** A logout token that says this besides (OpenID Connect Back-Channel Logout 1.0, section 2.4). */
  logoutToken(claims: Readonly<Record<string, unknown>>): Promise<string>;
  close(): Promise<void>;
}

const CLIENT = 'annals';
const EVENTS = { 'http://schemas.openid.net/event/backchannel-logout': {} };

async function newKey() {
  const { publicKey, privateKey } = await generateKeyPair('RS256');
  return { privateKey, jwk: { ...(await exportJWK(publicKey)), kid: randomUUID(), alg: 'RS256', use: 'sig' } };
}

export async function startSmallOidcProvider(): Promise<SmallOidcProvider> {
  let key = await newKey();
  const asked: URLSearchParams[] = [];
  const codes = new Map<string, Claimed & { readonly nonce: string | null }>();
  let current: Claimed = { sub: 'nobody' };
  let issuer = '';
  let before: () => Promise<unknown> = async () => undefined;
  const sign = (claims: Readonly<Record<string, unknown>>): Promise<string> =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: 'RS256', kid: key.jwk.kid })
      .setIssuer(issuer)
      .setAudience(CLIENT)
      .setIssuedAt(typeof claims['iat'] === 'number' ? claims['iat'] : undefined)
      .setExpirationTime(typeof claims['exp'] === 'number' ? claims['exp'] : '5m')
      .sign(key.privateKey);
  const answers: Readonly<Record<string, (url: URL, body: URLSearchParams) => Promise<object | URL>>> = {
    '/.well-known/openid-configuration': async () => ({
      issuer,
      authorization_endpoint: `${issuer}/auth`,
      token_endpoint: `${issuer}/token`,
      jwks_uri: `${issuer}/jwks`,
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
    }),
    '/jwks': async () => ({ keys: [key.jwk] }),
    '/auth': async ({ searchParams: query }) => {
      asked.push(query);
      const [code, back] = [randomUUID(), new URL(query.get('redirect_uri')!)];
      // Whoever is asked with `max_age` has to tell it.
      const authTime = query.get('max_age') === null ? {} : { auth_time: Math.floor(systemClock.now() / 1000) };
      codes.set(code, { ...authTime, ...current, nonce: query.get('nonce') });
      back.search = new URLSearchParams({ code, state: query.get('state')! }).toString();
      return back;
    },
    // As often as somebody comes with the code: whether it was used nobody looks here.
    '/token': async (_, body) => {
      const happens = before;
      before = async () => undefined;
      await happens();
      return {
        access_token: 'an access token',
        token_type: 'Bearer',
        id_token: await sign(codes.get(body.get('code')!)!),
      };
    },
  };
  const server = createServer((request, response) => {
    void (async () => {
      const url = new URL(request.url ?? '/', issuer);
      const answer = await answers[url.pathname]!(url, new URLSearchParams(await bodyOf(request)));
      if (answer instanceof URL) response.writeHead(302, { location: answer.href }).end();
      else response.setHeader('content-type', 'application/json').end(JSON.stringify(answer));
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // Not a socket in the file system.
  return {
    issuer,
    asked,
    as: (claimed) => (current = claimed),
    before: (happens) => (before = happens),
    changeKey: async () => void (key = await newKey()),
    logoutToken: (claims) => sign({ jti: randomUUID(), events: EVENTS, ...claims }),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
