import type { Channel } from '@grpc/grpc-js';
import type { KurrentDBClient } from '@kurrent/kurrentdb-client';

/** A client younger than this is not thrown away: many calls fail at once while no server is there. */
const LEAST_AGE_MS = 200;
/** For how long the calls of a client that is thrown away may take to end. */
const RETIRE_MS = 2000;

/**
 * A client of the library that is thrown away once it has failed, with a new one in its place: one whose connection broke
 * may never recover (its native part, through which it reads, stays with the node it first found), a new one finds the
 * leader of now. What is being read with the old one is not disturbed; an append or a subscription that got no answer so far
 * is broken off, and tried again by whoever waits for it.
 */
export class RenewableClient {
  #current: KurrentDBClient;
  #madeAt = -Infinity;
  #isClosed = false;
  readonly #retiring = new Set<Promise<void>>();

  constructor(
    private readonly make: () => KurrentDBClient,
    /** Whether the calls go through the part of the client that is written in JavaScript, which holds a channel. */
    private readonly hasChannel: boolean,
  ) {
    this.#current = make();
  }

  get current(): KurrentDBClient {
    return this.#current;
  }

  /**
   * Puts a new client in the place of one that has failed; where that has been done already or just now, nothing. The files of
   * certificates are read again for it; while one is missing, as when it is being replaced, the old client stays.
   */
  renew(failed: KurrentDBClient): void {
    const now = performance.now();
    if (failed !== this.#current || this.#isClosed || now - this.#madeAt < LEAST_AGE_MS) return;
    this.#madeAt = now;
    try {
      this.#current = this.make();
    } catch {
      return;
    }
    this.#retire(failed);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#retire(this.#current);
    await Promise.all(this.#retiring);
  }

  #retire(client: KurrentDBClient): void {
    const retiring: Promise<void> = retire(client, this.hasChannel).finally(() => this.#retiring.delete(retiring));
    this.#retiring.add(retiring);
  }
}

async function retire(client: KurrentDBClient, hasChannel: boolean): Promise<void> {
  await atMost(client.dispose(), RETIRE_MS);
  if (!hasChannel) return;
  // `dispose` ends the calls and leaves the connection open. The library has no public way to close it.
  const { getChannel } = client as unknown as { getChannel: () => Promise<Channel> };
  await atMost(
    getChannel().then((channel) => channel.close()),
    RETIRE_MS,
  );
}

/** Settles with the work or after a time, whatever becomes of it. */
async function atMost(work: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work.catch(() => {}), late]);
  clearTimeout(timer);
}
