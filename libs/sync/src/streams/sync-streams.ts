import { Injectable } from '@nestjs/common';
import type { SyncContext, SyncStream } from './sync-context.js';

/** The streams that are not built yet have nothing to tell, which clients want to be told. */
const EMPTY: Readonly<Record<string, string>> = Object.freeze({
  presence: '{"events":[]}',
  to_device: '{"events":[]}',
  device_lists: '{"changed":[],"left":[]}',
  device_one_time_keys_count: '{}',
  device_unused_fallback_key_types: '[]',
});

/** All streams that /sync tells of. A domain adds its own when its module starts. */
@Injectable()
export class SyncStreams {
  readonly #streams = new Map<string, SyncStream>();

  constructor() {
    for (const [key, json] of Object.entries(EMPTY)) {
      this.#streams.set(key, { key, read: async () => ({ json, isNews: false }) });
    }
  }

  /** Adds a stream, or puts it in the place of an empty one. Throws where another stream has that key. */
  add(stream: SyncStream): void {
    if (this.#streams.has(stream.key) && !Object.hasOwn(EMPTY, stream.key)) {
      throw new Error(`/sync has a stream ${stream.key} already`);
    }
    this.#streams.set(stream.key, stream);
  }

  /** Reads all streams; answers the keys and values of a JSON object, and whether any of it is news. */
  async read(context: SyncContext): Promise<{ readonly members: readonly string[]; readonly isNews: boolean }> {
    const members: string[] = [];
    let isNews = false;
    for (const stream of this.#streams.values()) {
      const part = await stream.read(context);
      if (part.json !== undefined) members.push(`"${stream.key}":${part.json}`);
      isNews ||= part.isNews;
    }
    return { members, isNews };
  }
}
