import { hash } from 'node:crypto';
import type { MailServer } from './mail-server.js';

const V2 = '/_matrix/identity/v2';
type Body = Readonly<Record<string, unknown>>;

/** An identity server: its name, and where it is reached now. */
export interface IdentityServer {
  readonly name: string;
  readonly address: string;
}

/** Somebody of a homeserver. */
export interface IdentityUser {
  readonly userId: string;
  /** For a request that must succeed: paths are behind `/_matrix/client/v3`. */
  ok(method: 'POST', path: string, body: object): Promise<object>;
}

/** The link in the mails to an address that leads to a path, once one has come; of a session where that is named. */
export async function linkTo(mails: MailServer, address: string, path: string, sid?: string): Promise<URL> {
  const isMeant = ({ pathname, searchParams }: URL): boolean =>
    pathname === path && (sid === undefined || searchParams.get('sid') === sid);
  for (let number = 1; ; number++) {
    const { text } = await mails.waitFor(address, number);
    const link = [...text.matchAll(/https?:\/\/\S+/g)].map(([url]) => new URL(url)).find(isMeant);
    if (link !== undefined) return link;
  }
}

/** A session in which an address was shown to be somebody's. */
export interface Session {
  readonly sid: string;
  readonly client_secret: string;
}

/** Somebody of a homeserver as they use an identity server, with a token of it. */
export class IdentityClient<User extends IdentityUser = IdentityUser> {
  private constructor(
    readonly user: User,
    private readonly server: IdentityServer,
    private readonly mails: MailServer,
    readonly token: string,
  ) {}

  static async open<User extends IdentityUser>(
    server: IdentityServer,
    mails: MailServer,
    user: User,
  ): Promise<IdentityClient<User>> {
    const path = `/user/${encodeURIComponent(user.userId)}/openid/request_token`;
    const grant = await user.ok('POST', path, {});
    const { token } = await read(await send(server, 'POST', `${V2}/account/register`, { body: grant }));
    return new IdentityClient(user, server, mails, String(token));
  }

  /** As a homeserver is told which identity server is meant. */
  get at(): { readonly id_server: string; readonly id_access_token: string } {
    return { id_server: this.server.name, id_access_token: this.token };
  }

  /** Paths are behind `/_matrix/identity/v2` unless they are whole. */
  async call(method: string, path: string, body?: object): Promise<{ readonly status: number; readonly body: Body }> {
    const whole = path.startsWith('/') ? path : `${V2}/${path}`;
    const answer = await send(this.server, method, whole, { body, token: this.token });
    return { status: answer.status, body: (await answer.json()) as Body };
  }

  /** Shows that a mail address is theirs. */
  async validate(email: string): Promise<Session> {
    const secret = `secret-of-${email.split('@')[0]}`;
    const asked = { client_secret: secret, email, send_attempt: 1 };
    const { body } = await this.call('POST', 'validate/email/requestToken', asked);
    const session = { sid: String(body['sid']), client_secret: secret };
    const { searchParams } = await linkTo(this.mails, email, `${V2}/validate/email/submitToken`, session.sid);
    await this.call('POST', 'validate/email/submitToken', { ...session, token: searchParams.get('token') });
    return session;
  }

  /** Shows that a mail address is theirs, and makes it so. */
  async bind(email: string): Promise<Session> {
    const session = await this.validate(email);
    const bound = await this.call('POST', '3pid/bind', { ...session, mxid: this.user.userId });
    if (bound.status !== 200) throw new Error(`not bound: ${JSON.stringify(bound)}`);
    return session;
  }

  /** Has it theirs no more, by a session in which it was shown to be. */
  unbind(email: string, session: Session): Promise<{ readonly status: number; readonly body: Body }> {
    const threepid = { medium: 'email', address: email };
    return this.call('POST', '3pid/unbind', { ...session, mxid: this.user.userId, threepid });
  }

  /** Whose an address is; undefined: nobody's. */
  async lookUp(address: string, medium = 'email'): Promise<unknown> {
    const { lookup_pepper: pepper } = (await this.call('GET', 'hash_details')).body;
    const hashed = hash('sha256', `${address} ${medium} ${String(pepper)}`, 'base64url');
    const asked = { addresses: [hashed], algorithm: 'sha256', pepper };
    return ((await this.call('POST', 'lookup', asked)).body['mappings'] as Body)[hashed];
  }
}

function send(
  server: IdentityServer,
  method: string,
  path: string,
  { token, body }: { readonly token?: string; readonly body?: object | undefined },
): Promise<Response> {
  return fetch(`${server.address}${path}`, {
    method,
    ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

async function read(answer: Response): Promise<Body> {
  const body = (await answer.json()) as Body;
  if (!answer.ok) throw new Error(`${answer.status} ${JSON.stringify(body)}`);
  return body;
}
