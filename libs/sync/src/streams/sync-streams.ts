import { Inject, Injectable } from '@nestjs/common';
import type { StreamMoment } from '#http/tokens/stream-token';
import { SYNC_STREAMS, type SyncContext, type SyncStream } from './sync-context.js';

/** All parts of an answer. */
export interface SyncParts {
  /** The keys and values of a JSON object. */
  readonly members: readonly string[];
  readonly isNews: boolean;
  /** Up to where the client has heard of everything then: what its next token says. */
  readonly end: StreamMoment;
}

/** All streams that /sync tells of. */
@Injectable()
export class SyncStreams {
  readonly #streams = new Map<string, SyncStream>();

  /** In their order. Throws where two have one key. */
  constructor(@Inject(SYNC_STREAMS) streams: readonly SyncStream[]) {
    for (const stream of streams) {
      if (this.#streams.has(stream.key)) throw new Error(`/sync has two streams ${stream.key}`);
      this.#streams.set(stream.key, stream);
    }
  }

  /** Reads all streams; answers the keys and values of a JSON object, whether any of it is news, and where it ends. */
  async read(context: SyncContext): Promise<SyncParts> {
    const members: string[] = [];
    let isNews = false;
    let end = context.until;
    for (const [key, stream] of this.#streams) {
      const part = await stream.read(context);
      if (part.json !== undefined) members.push(`"${key}":${part.json}`);
      isNews ||= part.isNews;
      if (part.inbox !== undefined) end = { ...end, inbox: part.inbox };
    }
    return { members, isNews, end };
  }
}
