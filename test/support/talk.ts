import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import type { Client } from './homeserver.js';

export interface TalkOptions {
  readonly room: string;
  /** Who sends; each of them several messages at once. */
  readonly senders: readonly Client[];
  readonly atOnce?: number;
  /** Who follows the room by long polls meanwhile. */
  readonly readers: readonly Client[];
  /** The bytes of a message, by its number; a few by default. */
  readonly bytesOf?: (n: number) => number;
  /** That nobody answers may be: the servers of the senders and readers are killed meanwhile. */
  readonly mayBeKilled?: boolean;
}

interface Said {
  readonly event_id: string;
  readonly type: string;
  readonly content: { readonly body: string };
}

/** Of a client that has no answer: it waits a little before it asks the same again. */
const PAUSE_MS = 200;
/** What remains to be told after the last answer, on a busy machine. */
const TOLD_WITHIN_MS = 30_000;

/**
 * People who talk in a room while something happens to the log, as clients do: the same transaction again until it is
 * answered, and one long poll after another.
 */
export class Talk {
  readonly #over = new AbortController();
  readonly #told = new Map<string, string>();
  readonly #heard: string[][];
  readonly #sending: Promise<void>[];
  readonly #following: Promise<void>[];
  #sent = 0;
  /** All that was said has come to the readers, or did not come in time. */
  #isHeard = false;
  #longestMs = 0;
  #longestAnswerMs = 0;
  #refused = 0;

  private constructor(
    private readonly options: TalkOptions,
    since: readonly string[],
  ) {
    const { senders, readers, atOnce = 4 } = options;
    this.#heard = readers.map(() => []);
    this.#following = readers.map((reader, n) => this.#follow(reader, since[n]!, this.#heard[n]!));
    this.#sending = senders.flatMap((sender) => Array.from({ length: atOnce }, () => this.#send(sender)));
    // Looked at when it ends.
    for (const each of [...this.#sending, ...this.#following]) each.catch(() => {});
  }

  static async begin(options: TalkOptions): Promise<Talk> {
    const syncs = await Promise.all(options.readers.map((reader) => reader.sync()));
    return new Talk(
      options,
      syncs.map(({ next_batch: since }) => since),
    );
  }

  /** How many messages were acknowledged. */
  get acknowledged(): number {
    return this.#told.size;
  }

  /** How long a message took at most from its first try until it was acknowledged. */
  get longestMs(): number {
    return this.#longestMs;
  }

  /** How long the server took at most for any answer to a message. */
  get longestAnswerMs(): number {
    return this.#longestAnswerMs;
  }

  /** Settles when so many more messages were answered "not now". */
  async isRefused(times: number): Promise<void> {
    const wanted = this.#refused + times;
    while (this.#refused < wanted) await Promise.race([delay(20), ...this.#sending]);
  }

  /** Settles when so many more messages were acknowledged. */
  async goesOn(messages: number): Promise<void> {
    const wanted = this.#told.size + messages;
    while (this.#told.size < wanted) await Promise.race([delay(20), ...this.#sending]);
  }

  /**
   * Ends it, and sees that nothing was lost and nothing doubled: each reader was told every message once and in one order, which
   * is that of the room, and each answer named the event that carries the message.
   */
  async end(): Promise<void> {
    const { room, senders, readers } = this.options;
    this.#over.abort();
    await Promise.all(this.#sending);
    const began = Date.now();
    const isTold = (): boolean => this.#heard.every((ids) => ids.length >= this.#told.size);
    while (!isTold() && Date.now() - began < TOLD_WITHIN_MS) await Promise.race([delay(50), ...this.#following]);
    this.#isHeard = true;
    await Promise.all(this.#following);
    const expected = await saidIn(senders[0]!, room);
    expect(new Map(expected.map(({ content, event_id: id }) => [nameOf(content.body), id]))).toEqual(this.#told);
    const order = expected.map(({ event_id: id }) => id);
    expect(order).toHaveLength(this.#told.size);
    for (const reader of [...senders, ...readers]) {
      expect((await saidIn(reader, room)).map(({ event_id: id }) => id)).toEqual(order);
    }
    for (const ids of this.#heard) expect(ids).toEqual(order);
  }

  async #send(sender: Client): Promise<void> {
    const { room, bytesOf = () => 10 } = this.options;
    while (!this.#over.signal.aborted) {
      const n = this.#sent++;
      const body = `${n} `.padEnd(bytesOf(n), 'x');
      const path = `/rooms/${encodeURIComponent(room)}/send/m.room.message/talk-${n}`;
      const began = performance.now();
      const answer = await this.#untilAnswered(async () => {
        const asked = performance.now();
        const one = await sender.request('PUT', path, { msgtype: 'm.text', body });
        this.#longestAnswerMs = Math.max(this.#longestAnswerMs, performance.now() - asked);
        if (one.status === 503) this.#refused++;
        return one;
      });
      this.#longestMs = Math.max(this.#longestMs, performance.now() - began);
      this.#told.set(nameOf(body), answer.event_id);
    }
  }

  async #follow(reader: Client, from: string, ids: string[]): Promise<void> {
    const filter = JSON.stringify({ room: { timeline: { limit: 1000, types: ['m.room.message'] } } });
    let since = from;
    while (!this.#isHeard) {
      const search = new URLSearchParams({ filter, since, timeout: '1000' });
      const answer = await this.#untilAnswered(() => reader.request('GET', `/sync?${search}`));
      since = answer.next_batch;
      const timeline = answer.rooms?.join?.[this.options.room]?.timeline;
      if (timeline === undefined) continue;
      expect(timeline.limited).not.toBe(true);
      ids.push(...timeline.events.map((event: Said) => event.event_id));
    }
  }

  /** Asks until it is answered. Throws at any answer but success and "not now". */
  async #untilAnswered(
    ask: () => ReturnType<Client['request']>,
  ): Promise<Awaited<ReturnType<Client['request']>>['body']> {
    for (;;) {
      try {
        const { status, body, headers, text } = await ask();
        if (status === 200) return body;
        const told = { status, retryAfter: headers.get('retry-after'), text };
        expect(told).toEqual({
          status: 503,
          retryAfter: expect.stringMatching(/^\d+$/),
          text: expect.stringContaining('"M_UNKNOWN"'),
        });
      } catch (error) {
        // What `fetch` throws where there is no answer.
        if (this.options.mayBeKilled !== true || !(error instanceof TypeError)) throw error;
      }
      await delay(PAUSE_MS);
    }
  }
}

function nameOf(body: string): string {
  return body.slice(0, body.indexOf(' '));
}

/** The messages of a room, in its order. */
async function saidIn(who: Client, room: string): Promise<Said[]> {
  const said: Said[] = [];
  for (let from = ''; ;) {
    const page = await who.ok('GET', `/rooms/${encodeURIComponent(room)}/messages?dir=f&limit=100${from}`);
    said.push(...page.chunk.filter(({ type }: Said) => type === 'm.room.message'));
    if (page.end === undefined || page.chunk.length === 0) return said;
    from = `&from=${encodeURIComponent(page.end)}`;
  }
}
