import { expect } from 'vitest';
import type { FakePeer } from '#testing/fake-peer';
import type { FederatedServer } from './federated-server.js';

const V2 = '/_matrix/identity/v2';

export type IdentityBody = Readonly<Record<string, unknown>>;

/** Somebody with a token of the identity server. */
export interface IdentityPerson {
  readonly userId: string;
  readonly token: string;
}

/** `on`: another server than the one of the suite. */
export interface IdentityRequest {
  readonly token?: string;
  readonly body?: object;
  readonly form?: Readonly<Record<string, string>>;
  readonly on?: FederatedServer;
}

/** An identity server as it is spoken to by users of a homeserver that is another one. Paths that begin with no slash are those of its API v2. */
export class IdentityCalls {
  /** Whose OpenID tokens the other homeserver knows: token -> user id. */
  readonly elsewhere = new Map<string, string>();

  constructor(
    readonly server: FederatedServer,
    readonly peer: FakePeer,
  ) {
    peer.on('GET', '/_matrix/federation/v1/openid/userinfo', ({ path }) => {
      const sub = this.elsewhere.get(new URL(path, 'https://x').searchParams.get('access_token')!);
      return sub === undefined ? { status: 401, body: { errcode: 'M_UNKNOWN_TOKEN' } } : { body: { sub } };
    });
  }

  /** What is no JSON is `text`. */
  async call(
    method: string,
    path: string,
    { token, body, form, on = this.server }: IdentityRequest = {},
  ): Promise<{ status: number; body: IdentityBody }> {
    const answer = await fetch(`${on.address}${path.startsWith('/') ? path : `${V2}/${path}`}`, {
      method,
      ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(form === undefined ? {} : { body: new URLSearchParams(form) }),
    });
    const text = await answer.text();
    return { status: answer.status, body: (text.startsWith('{') ? JSON.parse(text) : { text }) as IdentityBody };
  }

  async ok(...asked: Parameters<IdentityCalls['call']>): Promise<IdentityBody> {
    const { status, body } = await this.call(...asked);
    expect([status, body]).toEqual([200, body]);
    return body;
  }

  /** Somebody of the other homeserver, with a token of the identity server. */
  async useIt(name: string, on = this.server): Promise<IdentityPerson> {
    const userId = `@${name}:${this.peer.name}`;
    this.elsewhere.set(`openid of ${name}`, userId);
    const body = {
      access_token: `openid of ${name}`,
      matrix_server_name: this.peer.name,
      token_type: 'Bearer',
      expires_in: 9,
    };
    return { userId, token: String((await this.ok('POST', 'account/register', { body, on }))['token']) };
  }
}
