import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { Outgoing, OutgoingFailure, type StreamedAnswer } from '#http/outgoing/outgoing';
import { SOFTWARE } from '#kernel/software';
import { placeOf, readAddress } from './web-address.js';

/** What is at an address of the web, where that leads to. */
export interface FoundPage {
  readonly url: URL;
  readonly contentType: string | undefined;
  readonly body: AsyncIterable<Uint8Array>;
}

/** There is nothing to be had at an address: why is nobody's business, for it could be one of a network that they cannot reach. */
export class NothingThere extends Error {
  constructor(cause?: unknown) {
    super('nothing was found there', { cause });
    this.name = 'NothingThere';
  }
}

/** What came of one address: it leads on, or was taken. */
type Next<T> = { readonly to: string | undefined } | { readonly taken: T };

const MOST_REDIRECTS = 5;
const WITHIN_MS = 10_000;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Reads what users link to, as anybody on the Internet could: each address that one leads to is looked at as the first. */
@Injectable()
export class WebReader {
  constructor(
    private readonly outgoing: Outgoing,
    @Inject(CONFIG) private readonly config: Pick<Config, 'previews'>,
  ) {}

  /** The address of a text; undefined where it is none that is looked at. */
  addressOf(text: string, base?: URL): URL | undefined {
    return readAddress(text, this.config.previews, base);
  }

  /**
   * Gives what is at an address to `take`, as it comes, and answers what that answers. It has ten seconds for all of it, and `maxBytes`. Throws
   * NothingThere, and what `take` throws.
   */
  async read<T>(address: URL, maxBytes: number, take: (found: FoundPage) => Promise<T>): Promise<T> {
    const deadline = AbortSignal.timeout(WITHIN_MS);
    let url = address;
    for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
      const from = url;
      const next = await this.#ask<Next<T>>(from, maxBytes, deadline, async ({ status, headers, body }) => {
        if (REDIRECTS.has(status)) return { to: textOf(headers['location']) };
        if (status !== 200) throw new NothingThere();
        return { taken: await take({ url: from, contentType: textOf(headers['content-type']), body }) };
      });
      if ('taken' in next) return next.taken;
      const to = next.to === undefined ? undefined : this.addressOf(next.to, from);
      if (to === undefined) throw new NothingThere();
      url = to;
    }
    throw new NothingThere();
  }

  async #ask<T>(
    url: URL,
    maxBytes: number,
    signal: AbortSignal,
    take: (answer: StreamedAnswer) => Promise<T>,
  ): Promise<T> {
    const headers = {
      host: url.host,
      accept: 'text/html, application/xhtml+xml;q=0.9, image/*;q=0.8, */*;q=0.1',
      'accept-encoding': 'identity',
      'accept-language': 'en, *;q=0.5',
      'user-agent': `Mozilla/5.0 (compatible; ${SOFTWARE.name}/${SOFTWARE.version}; preview bot)`,
    };
    const path = `${url.pathname}${url.search}`;
    const request = { method: 'GET', path, headers, withinMs: WITHIN_MS, maxBytes, signal } as const;
    try {
      return await this.outgoing.stream(placeOf(url, this.config.previews), request, take);
    } catch (error) {
      // What `take` throws is thrown as it is, also once the time is up.
      if (error instanceof OutgoingFailure || (signal.aborted && error === signal.reason))
        throw new NothingThere(error);
      throw error;
    }
  }
}

function textOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}
