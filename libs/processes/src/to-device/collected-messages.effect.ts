import { Inject, Injectable } from '@nestjs/common';
import {
  mailboxOf,
  readSent,
  RECEIVED_KEPT_MS,
  RECEIVED_STREAM_PREFIX,
  tailOfSent,
  takesNamedAlone,
  type ToDeviceCollected,
  TRANSACTIONS_KEPT,
  TRANSACTIONS_KEPT_MS,
} from '#devices/facts/to-device-facts';
import { INBOX, OUTSTANDING, outstandingKey } from '#devices/projections/inbox.projector';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import { CLOCK, type Clock } from '#kernel/clock';
import { KeyedQueue } from '#kernel/keyed-queue';
import type { Position } from '#kernel/position';
import type { Effect } from '#projections/effects/effect';
import { VIEWS, type Views } from '#projections/views';

/** What says that messages are taken, or never will be. */
const TAKEN: ReadonlySet<string> = new Set(['to-device-collected', 'to-device-expired', 'to-device-crowded-out']);
/** An inbox's stream is looked at once in so many facts: but for the last they can go. */
const FACTS_PER_LOOK = 16;
/** So many facts at the beginning of a sender's stream are looked at each time. */
const AT_ONCE = 64;

/**
 * Erases from the log what devices have collected, or will not collect any more. A fact that many devices are to have is not written
 * anew for each of them: only when no more are outstanding than 128, 64, 32 … and none. So of what is erased late there is never more than
 * of what waits. What was taken by its name alone is always erased: the place that the inbox is emptied up to does not say that it has gone.
 */
@Injectable()
export class CollectedMessages implements Effect {
  readonly name = 'collected-messages';
  readonly fromStart = true;
  /** Two receivers of one sender: what is left is looked up and written by one after the other. */
  readonly #turns = new KeyedQueue<string>();
  /** The inboxes of which something goes once all views have come by it. */
  readonly #shortening = new Set<string>();

  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(VIEWS) private readonly views: Pick<Views, 'scan' | 'whenKept'>,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  keyOf({ type, stream }: RecordedFact): string | undefined {
    return TAKEN.has(type) ? stream : undefined;
  }

  async run({ stream, revision, position, type, data }: RecordedFact): Promise<boolean> {
    const taken = JSON.parse(data) as ToDeviceCollected; // written by libs/devices
    const named = takesNamedAlone(type, taken);
    let isDone = false;
    for (const [sender, revisions] of Object.entries(taken.from)) {
      isDone = (await this.#turns.run(sender, () => this.#clean(sender, revisions, named))) || isDone;
    }
    if (revision > 0 && revision % FACTS_PER_LOOK === 0) await this.#shorten(stream, revision, position);
    return isDone;
  }

  /**
   * Lets go of what stands before a fact of an inbox. Views that have not come by what was taken by its name alone would tell a device of that once more: those are waited for,
   * or known when they are put back. Nothing else waits for that, for it may take as long as views are filled.
   */
  async #shorten(stream: string, revision: number, position: Position): Promise<void> {
    if (!(await this.#hasNamed(stream, revision))) return this.store.truncate(stream, revision);
    if (this.#shortening.has(stream)) return;
    this.#shortening.add(stream);
    void this.views
      .whenKept(position, [INBOX.name])
      .then(() => this.store.truncate(stream, revision))
      .catch(() => {}) // it goes the next time
      .finally(() => this.#shortening.delete(stream));
  }

  async #hasNamed(stream: string, before: number): Promise<boolean> {
    for await (const { revision, type, data } of this.store.readStream(stream)) {
      if (revision >= before) break;
      if (takesNamedAlone(type, JSON.parse(data) as ToDeviceCollected)) return true;
    }
    return false;
  }

  async #clean(stream: string, revisions: readonly number[], always: boolean): Promise<boolean> {
    let isDone = false;
    for (const revision of revisions) isDone = (await this.#erase(stream, revision, always)) || isDone;
    return (await this.#truncate(stream)) || isDone;
  }

  async #erase(stream: string, revision: number, always: boolean): Promise<boolean> {
    const outstanding = new Set<string>();
    for await (const page of OUTSTANDING.pages(this.views, { prefix: outstandingKey(stream, revision) })) {
      for (const { key } of page) outstanding.add(JSON.stringify(key.slice(2)));
    }
    if (!always && !isPowerOfTwoOrNone(outstanding.size)) return false;
    for await (const fact of this.store.readStream(stream, { from: revision, limit: 1 })) {
      if (fact.revision !== revision) return false; // it has gone already
      const { to, contents } = readSent(fact);
      const left = to.filter((receiver) => outstanding.has(JSON.stringify(mailboxOf(stream, receiver))));
      if (left.length === to.length) return false;
      await this.store.erase(stream, revision, tailOfSent(left, contents));
      return true;
    }
    return false;
  }

  /** Lets go of what nobody is to have any more and no retry will name. */
  async #truncate(stream: string): Promise<boolean> {
    const [waiting] = await OUTSTANDING.scan(this.views, { prefix: [outstandingKey(stream, 0)[0]], limit: 1 });
    const firstWaiting = waiting === undefined ? Infinity : Number(waiting.key[1]);
    let last = 0;
    for await (const { revision } of this.store.readStream(stream, { backwards: true, limit: 1 })) last = revision;
    const keptMs = stream.startsWith(RECEIVED_STREAM_PREFIX) ? RECEIVED_KEPT_MS : TRANSACTIONS_KEPT_MS;
    const old = this.clock.now() - keptMs;
    let [first, next]: (number | undefined)[] = [];
    for await (const { revision, metadata } of this.store.readStream(stream, { limit: AT_ONCE })) {
      first ??= revision;
      next = revision;
      const isRemembered = metadata.at > old && revision > last - TRANSACTIONS_KEPT;
      if (revision >= firstWaiting || isRemembered) break;
    }
    if (first === undefined || next === undefined || next === first) return false;
    await this.store.truncate(stream, next);
    return true;
  }
}

function isPowerOfTwoOrNone(count: number): boolean {
  return (count & (count - 1)) === 0;
}
