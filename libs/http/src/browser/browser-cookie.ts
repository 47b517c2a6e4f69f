import type { FastifyReply, FastifyRequest } from 'fastify';

/** What browsers keep of a cookie. */
export const MOST_OF_COOKIE = 4000;
/** What a cookie may hold here: what needs no quotes in any browser. */
const VALUE = new RegExp(`^[\\w.~-]{1,${MOST_OF_COOKIE}}$`);

/**
 * A cookie by which this server knows a browser again. Scripts do not see it, other sites' pages send it with nothing but a link that is
 * followed, and where the server is reached by https no other host of the domain can set it (`__Host-`, RFC 6265bis, section 4.1.3.2).
 */
export class BrowserCookie {
  readonly name: string;
  readonly #isSecure: boolean;

  /** `publicUrl`: where browsers reach the server. */
  constructor(name: string, publicUrl: string) {
    this.#isSecure = publicUrl.startsWith('https:');
    this.name = this.#isSecure ? `__Host-${name}` : name;
  }

  /** Its value; undefined where the browser sent none, two, or one that is not of the form of ours. */
  find({ headers }: FastifyRequest): string | undefined {
    const values = (headers.cookie ?? '')
      .split(';')
      .map((pair) => pair.trim().split('='))
      .filter(([name]) => name === this.name)
      .map(([, value = '']) => value);
    return values.length === 1 && VALUE.test(values[0]!) ? values[0] : undefined;
  }

  /** Has the browser keep a value for so long. */
  put(reply: FastifyReply, value: string, maxAgeSeconds: number): void {
    const secure = this.#isSecure ? '; Secure' : '';
    const cookie = `${this.name}=${value}; Path=/; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=Lax${secure}`;
    void reply.header('set-cookie', cookie);
  }

  /** Has the browser forget it. */
  drop(reply: FastifyReply): void {
    this.put(reply, '', 0);
  }
}
