/** A page, or where a browser was sent that it was told not to go to. */
export interface Visit {
  readonly status: number;
  /** Where it is, or where it would go. */
  readonly url: string;
  readonly text: string;
  readonly headers: Headers;
}

interface Cookie {
  readonly name: string;
  readonly value: string;
  readonly host: string;
  readonly path: string;
}

/** As much of a browser as log-ins need: cookies by host and path, and redirects, which it follows until they lead to none of `hosts`. */
export class HandBrowser {
  #cookies: Cookie[] = [];

  constructor(private readonly hosts: readonly string[]) {}

  /** The cookies that it would send to a URL, as a header. */
  cookiesFor(url: string): string {
    const { hostname, pathname } = new URL(url);
    return this.#cookies
      .filter(({ host, path }) => host === hostname && pathname.startsWith(path))
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ');
  }

  async visit(url: string, form?: Readonly<Record<string, string>>): Promise<Visit> {
    let at = url;
    let body = form === undefined ? undefined : new URLSearchParams(form);
    for (let hop = 0; hop < 15; hop++) {
      if (!this.hosts.includes(new URL(at).host)) return { status: 0, url: at, text: '', headers: new Headers() };
      const answer = await fetch(at, {
        method: body === undefined ? 'GET' : 'POST',
        body,
        redirect: 'manual',
        headers: { cookie: this.cookiesFor(at) },
      });
      this.#keep(at, answer.headers.getSetCookie());
      const location = answer.headers.get('location');
      if (location === null)
        return { status: answer.status, url: at, text: await answer.text(), headers: answer.headers };
      await answer.arrayBuffer();
      at = new URL(location, at).href;
      body = undefined;
    }
    throw new Error(`${url} leads nowhere`);
  }

  #keep(url: string, lines: readonly string[]): void {
    const { hostname, pathname } = new URL(url);
    for (const line of lines) {
      const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
      const name = pair.slice(0, pair.indexOf('='));
      const told = attributes.find((one) => /^path=/i.test(one))?.slice(5);
      const path = told ?? pathname.slice(0, pathname.lastIndexOf('/') || 1);
      this.#cookies = this.#cookies.filter((one) => one.name !== name || one.host !== hostname || one.path !== path);
      const isOver = attributes.some((one) => /^(max-age=0|expires=thu, 01 jan 1970.*)$/i.test(one));
      if (!isOver) this.#cookies.push({ name, value: pair.slice(name.length + 1), host: hostname, path });
    }
  }
}

/** The address of the first link or form of a page that leads to a path with `part` in it. */
export function linkOn({ text, url }: Visit, part: string): string {
  for (const [, found = ''] of text.matchAll(/(?:href|action)="([^"]*)"/g)) {
    const plain = found.replaceAll(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));
    if (plain.includes(part)) return new URL(plain, url).href;
  }
  throw new Error(`no link with ${part} on ${text}`);
}
