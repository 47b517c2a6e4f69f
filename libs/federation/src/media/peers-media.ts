import { Injectable } from '@nestjs/common';
import { Outgoing, OutgoingFailure, type StreamedAnswer } from '#http/outgoing/outgoing';
import { placeOf } from '#http/outgoing/place-of';
import { PeerRefused, PeerUnavailable } from '#kernel/peer-errors';
import type { MediaRef } from '#media/media-id';
import type { FetchBounds, FoundMedia, RemoteMedia } from '#media/remote-media';
import { pathOf } from '../peers/path-of.js';
import { Peers } from '../peers/peers.js';
import { readFileName } from './read-disposition.js';
import { BadMultipart, boundaryOf, MultipartReader, type Part } from './read-multipart.js';

/** What a medium may take besides the wait for who uploads it, as long as it goes on: 100 MB at 170 kB a second. */
const TRANSFER_MS = 600_000;
/** For so long nothing of it may come. */
const PAUSE_MS = 60_000;
/** What surrounds a medium in an answer of two parts. */
const MOST_AROUND = 64 * 1024;
/** What servers answer that know no such path. */
const UNKNOWN_PATH: ReadonlySet<number> = new Set([400, 404, 405]);

type Take<T> = (found: FoundMedia) => Promise<T>;

/** Media of other servers: server-server API, "Content Repository", and as it was before v1.11 from who knows nothing of that. */
@Injectable()
export class PeersMedia implements RemoteMedia {
  constructor(
    private readonly peers: Peers,
    private readonly outgoing: Outgoing,
  ) {}

  async fetch<T>(media: MediaRef, bounds: FetchBounds, take: Take<T>): Promise<T> {
    try {
      return await this.#fetchSigned(media, bounds, take);
    } catch (error) {
      if (!(error instanceof PeerRefused && isUnknownPath(error))) throw error;
      return this.#fetchOpenly(media, bounds, take);
    }
  }

  #fetchSigned<T>({ server, mediaId }: MediaRef, bounds: FetchBounds, take: Take<T>): Promise<T> {
    const query = { timeout_ms: bounds.timeoutMs };
    const path = pathOf('/_matrix/federation/v1/media/download/:mediaId', { mediaId }, query);
    return this.peers.download(server, requestOf(path, bounds), async (answer) => {
      try {
        return await this.#readParts(answer, bounds, take);
      } catch (error) {
        if (!(error instanceof BadMultipart)) throw error;
        throw new PeerUnavailable(`${server}: ${path}: ${error.message}`, { cause: error });
      }
    });
  }

  #fetchOpenly<T>({ server, mediaId }: MediaRef, bounds: FetchBounds, take: Take<T>): Promise<T> {
    // No server asks others on our behalf, or a name that leads to itself would never end.
    const query = { allow_remote: false, timeout_ms: bounds.timeoutMs };
    const path = pathOf('/_matrix/media/v3/download/:server/:mediaId', { server, mediaId }, query);
    const request = { ...requestOf(path, bounds), isUnsigned: true };
    return this.peers.download(server, request, ({ headers, body }) =>
      take({ ...aboutOf(mapOf(headers)), body, atLeast: lengthOf(headers) }),
    );
  }

  async #readParts<T>(answer: StreamedAnswer, bounds: FetchBounds, take: Take<T>): Promise<T> {
    const boundary = boundaryOf(mapOf(answer.headers).get('content-type'));
    if (boundary === undefined) throw new BadMultipart('it is not of two parts');
    const reader = new MultipartReader(answer.body, boundary);
    await passOver(await reader.next());
    const { headers, body } = await reader.next();
    const location = headers.get('location');
    const length = lengthOf(answer.headers);
    const atLeast = length === undefined ? undefined : length - MOST_AROUND;
    if (location === undefined) return take({ ...aboutOf(headers), body, atLeast });
    return this.#fetchFrom(location, bounds, take);
  }

  /** From where a server keeps its media, which is nobody that knows us. */
  async #fetchFrom<T>(location: string, { maxBytes }: FetchBounds, take: Take<T>): Promise<T> {
    const url = URL.canParse(location) ? new URL(location) : undefined;
    if (url?.protocol !== 'https:') throw new BadMultipart('it leads to what is no https address');
    // What keeps it may be another's, and is no homeserver.
    const place = placeOf(url, { trustsPublicToo: true });
    const headers = { host: url.host, 'accept-encoding': 'identity' };
    const path = `${url.pathname}${url.search}`;
    const request = {
      method: 'GET',
      path,
      headers,
      withinMs: TRANSFER_MS,
      pauseMs: PAUSE_MS,
      maxBytes: maxBytes + 1,
    } as const;
    try {
      return await this.outgoing.stream(place, request, async (answer) => {
        if (answer.status !== 200)
          throw new PeerUnavailable(`${url.host} answers ${answer.status} where it should have a medium`);
        return take({ ...aboutOf(mapOf(answer.headers)), body: answer.body, atLeast: lengthOf(answer.headers) });
      });
    } catch (error) {
      if (!(error instanceof OutgoingFailure)) throw error;
      throw new PeerUnavailable(`${url.host}: ${error.message}`, { cause: error });
    }
  }
}

function requestOf(path: string, { timeoutMs, maxBytes }: FetchBounds) {
  const most = maxBytes + MOST_AROUND;
  const times = { timeoutMs: timeoutMs + TRANSFER_MS, pauseMs: timeoutMs + PAUSE_MS };
  return { method: 'GET', path, ...times, maxBytes: most, isLarge: true } as const;
}

/** Some say so by a page of their proxy, which is no error of Matrix. */
function isUnknownPath({ status, errcode }: PeerRefused): boolean {
  return UNKNOWN_PATH.has(status) && (errcode === undefined || errcode === 'M_UNRECOGNIZED');
}

/** How long an answer says it is; undefined where it does not. */
function lengthOf(headers: StreamedAnswer['headers']): number | undefined {
  const length = mapOf(headers).get('content-length');
  return length === undefined ? undefined : Number(length);
}

function mapOf(headers: StreamedAnswer['headers']): ReadonlyMap<string, string> {
  const texts = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), [value].flat()[0]] as const);
  return new Map(texts.filter((entry): entry is readonly [string, string] => entry[1] !== undefined));
}

function aboutOf(headers: ReadonlyMap<string, string>): Omit<FoundMedia, 'body'> {
  return { type: headers.get('content-type'), name: readFileName(headers.get('content-disposition')) };
}

/** What the first part says is nothing yet. */
async function passOver({ body }: Part): Promise<void> {
  let bytes = 0;
  for await (const piece of body) {
    if ((bytes += piece.length) > MOST_AROUND / 2) throw new BadMultipart('its first part is too long');
  }
}
