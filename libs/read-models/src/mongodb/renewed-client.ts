import type { MongoClient } from 'mongodb';
import { ViewsUnavailable } from '../read-model-errors.js';
import { LOOK_MS } from './connect.js';
import { unlessSilent } from './unreachable.js';

/** Who watches a server tells something every ten seconds at the latest, whatever that server does: a look, and what one waits for at most. */
const SILENT_LOOKS = 6;
/** What fails with the connection has failed after so long. */
const ENDED_MS = 100;
/** A try to connect takes as long as a look, and a little. */
const CONNECT_MS = 10_000;
/** To close takes as long as it waits for a server to tell it that sessions are over, and a little. */
const CLOSE_MS = 5000;

/** What the driver's client closes in the end, and its declaration does not tell of. */
interface Parts {
  topology?: { close(): void } | undefined;
}

/**
 * The driver's client, closed and connected again where it stands still. What its version 7.9.0 writes to a socket that is closed, and has not
 * said so yet, it waits for without end: where that is a look at a server, nobody looks at this one any more, and where it is a command,
 * who has sent it waits. A server that goes away while it has much to do is often looked at in that very moment.
 */
export class RenewedClient {
  /** The watched servers, by address: how many looks ago something was told of them. */
  readonly #told = new Map<string, number>();
  readonly #looks: NodeJS.Timeout;
  readonly #waiting = new Set<() => void>();
  #renewing: Promise<void> | undefined;
  #isClosed = false;

  constructor(
    private readonly client: MongoClient,
    private readonly closeMs = CLOSE_MS,
  ) {
    const note = ({ connectionId: address }: { readonly connectionId: string }): void =>
      void this.#told.set(address, 0);
    client.on('serverHeartbeatStarted', note).on('serverHeartbeatSucceeded', note).on('serverHeartbeatFailed', note);
    client.on('serverClosed', ({ address }) => this.#told.delete(address));
    // Counted, for of the time that passes while the process stands still nothing is told.
    this.#looks = setInterval(() => this.#look(), LOOK_MS).unref();
  }

  /** Closes the client and connects it again. What is under way ends: it fails as what a connection has lost does. */
  renew(): void {
    if (this.#isClosed) return;
    this.#renewing ??= this.#renew().finally(() => (this.#renewing = undefined));
  }

  /** What the work answers. Throws ViewsUnavailable where the client is renewed and it has not ended with that: then it never does. */
  async unlessRenewed<T>(work: Promise<T>): Promise<T> {
    let giveUp = (): void => {};
    const given = new Promise<never>((_, reject) => {
      giveUp = () => reject(new ViewsUnavailable('the connection to the database stood still'));
    });
    this.#waiting.add(giveUp);
    return Promise.race([work, given]).finally(() => this.#waiting.delete(giveUp));
  }

  async close(): Promise<void> {
    clearInterval(this.#looks);
    this.#isClosed = true;
    await this.#disconnect(this.#end());
    await this.#renewing;
  }

  #look(): void {
    for (const [address, looks] of this.#told) {
      this.#told.set(address, looks + 1);
      if (looks >= SILENT_LOOKS) return this.renew();
    }
  }

  async #renew(): Promise<void> {
    while (!this.#isClosed) {
      let isBehind = false;
      const ended = this.#end().then(() => isBehind && this.#renewOnceMore());
      await this.#disconnect(ended);
      // Nothing can be asked meanwhile: so what has not failed by then is never heard of, and does nothing behind who goes on.
      await new Promise((resolve) => setTimeout(resolve, ENDED_MS));
      for (const giveUp of this.#waiting) giveUp();
      if (this.#isClosed) return;
      isBehind = true;
      try {
        await unlessSilent(CONNECT_MS, this.client.connect());
        return;
      } catch {
        // It is away: who watches the connection tells that.
      }
    }
  }

  /** Closes the client as the driver does it, which fails, or comes to no end, where a server does not answer what it is told at that. */
  #end(): Promise<void> {
    return this.client.close().catch(() => {});
  }

  /** Ends all connections, at the latest after a while: what `ended` waits for on them then fails. */
  async #disconnect(ended: Promise<unknown>): Promise<void> {
    await unlessSilent(this.closeMs, ended).catch(() => {});
    const parts = this.client as unknown as Parts; // as of version 7.9.0
    parts.topology?.close();
    parts.topology = undefined;
  }

  /** What was closed for long may have closed what was connected meanwhile. */
  #renewOnceMore(): void {
    void Promise.resolve(this.#renewing).then(() => this.renew());
  }
}
