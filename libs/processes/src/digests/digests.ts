import { Inject, Injectable, Logger } from '@nestjs/common';
import { RECEIPTS } from '#ephemeral/projections/receipts.projector';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { CLOCK, type Clock } from '#kernel/clock';
import type { UserId } from '#kernel/ids';
import { Slots } from '#kernel/slots';
import { awaitShown } from '#projections/await-shown';
import { RegularLooks } from '#projections/regular-looks';
import { VIEWS, type Views } from '#projections/views';
import { beginMail, endMail, failMail, isUnreachable, judgeDigest, lookAgain } from '#push/digests/decide-digest';
import type { Digest } from '#push/digests/digest';
import type { PusherName, PusherSet } from '#push/facts/pusher-facts';
import { DUE_DIGESTS } from '#push/projections/due-digests.projector';
import { PUSH_RULES } from '#push/projections/push-rules.projector';
import { TIMELINE } from '#rooms/projections/timeline-collections';
import type { EventToPush } from '../push/push-item.js';
import { DigestNotes } from './digest-notes.js';
import { GatherDigest, type UnreadRoom } from './gather-digest.js';
import { SendDigest } from './send-digest.js';

/** How often it is looked for what is due, at the longest. */
const LOOK_MS = 30_000;
const SOON_MS = 1_000;
/** So many users are looked at in one look, and so many of them side by side. */
const AT_ONCE = 200;
const SIDE_BY_SIDE = 4;
/** What could not be looked at is looked at again after so long. */
const RETRY_MS = 15 * 60_000;
/** By what it is decided what is mailed. */
const ASKED = [DUE_DIGESTS, TIMELINE, RECEIPTS, PUSH_RULES].map(({ name }) => name);

type Mailing = NonNullable<Digest['mailing']>;
type Change = (digest: Digest) => Digest | undefined;

/** A pusher whose mails are looked at. */
interface Looked {
  readonly userId: UserId;
  readonly pusher: PusherSet;
  /** Whether something more came since the look began. */
  readonly hasMore: () => boolean;
}

/**
 * Mails what is unread (client-server API, pushers of the kind `email`): once it was not read for some minutes, and about the same room again at
 * intervals that grow. What is due stands in a view in the order of its time, so a look reads that and no more. What a mail tells of is noted in the
 * log before it is handed over, and that it was taken after that: a mail that is handed over twice, for the process ended in between, tells of the
 * same and has the same id.
 */
@Injectable()
export class Digests {
  readonly #log = new Logger('push');
  readonly #slots = new Slots(SIDE_BY_SIDE);
  #looks: RegularLooks | undefined;

  constructor(
    private readonly notes: DigestNotes,
    private readonly gatherer: GatherDigest,
    private readonly sender: SendDigest,
    @Inject(EVENT_STORE) private readonly events: Pick<EventStore, 'head'>,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** This process looks from now on. */
  begin(): void {
    this.notes.begin();
    this.#looks = new RegularLooks({
      look: () => this.#look(),
      failed: (error) => this.#log.warn({ err: error }, 'what is unread and to be mailed was not looked for'),
    });
    this.#looks.begin(this.views, ASKED, this.events);
  }

  end(): void {
    void this.#looks?.end();
    this.#looks = undefined;
  }

  /** Something notifies a user who has it mailed, and no gateway is told of it (`isMailedAlone`). Settles once it cannot be lost. */
  note(userId: UserId, event: Pick<EventToPush, 'roomId' | 'position'>, isMailedAlone: boolean): Promise<void> {
    return this.notes.note(userId, event, isMailedAlone);
  }

  /** A user has set a pusher. */
  forget(userId: UserId): void {
    this.notes.forget(userId);
  }

  /** Looks now. */
  async look(): Promise<void> {
    await this.#looks?.now();
  }

  /** By all that the log has now: what was read is not mailed. Throws ViewsUnavailable where the views do not show it. */
  async #look(): Promise<number> {
    const head = await this.events.head();
    for (const name of ASKED) await awaitShown(this.views, name, head, 'what is unread');
    const rows = await DUE_DIGESTS.scan(this.views, { limit: AT_ONCE });
    const due = rows.filter(({ key }) => Number(key[0]) <= this.clock.now());
    const looks = this.#looks;
    await Promise.all(
      due.map(({ key: [, userId, app_id, pushkey] }) =>
        this.#slots.run(async () => {
          if (looks?.isStopped === false) await this.#lookAt(userId, { app_id, pushkey });
        }),
      ),
    );
    return due.length === AT_ONCE ? SOON_MS : Math.min(LOOK_MS, Math.max(this.notes.afterMs, SOON_MS));
  }

  /** Throws nothing: nobody else waits for what is wrong with one. */
  async #lookAt(userId: UserId, name: PusherName): Promise<void> {
    try {
      await this.notes.look(userId, async (hasMore) => {
        const pusher = await this.notes.find(userId, name);
        // The view may lag.
        if ((pusher?.digest?.due_at ?? Infinity) <= this.clock.now())
          await this.#mail({ userId, pusher: pusher!, hasMore });
      });
    } catch (error) {
      this.#log.warn({ err: error }, 'what is unread of a user was not looked at');
      const later: Change = (digest) => lookAgain(digest, this.clock.now() + RETRY_MS);
      await this.notes.change(userId, name, later).catch(() => {});
    }
  }

  async #mail(looked: Looked): Promise<void> {
    const { userId, pusher } = looked;
    const { digest = {} } = pusher;
    const { afterMs } = this.notes;
    if (!(await this.sender.canSend(userId, pusher))) return this.#change(looked, (one) => lookAgain(one, undefined));
    const now = this.clock.now();
    const rooms = await this.gatherer.gather(userId, digest, now, digest.mailing?.up_to);
    if (digest.mailing !== undefined) return this.#hand(looked, digest.mailing, rooms, true);
    const verdict = judgeDigest(digest, rooms, now, afterMs);
    const soon = (): number => (looked.hasMore() ? this.clock.now() + afterMs : Infinity);
    if (verdict.is === 'due') {
      const begun = beginMail(digest, rooms, now);
      await this.#change(looked, (one) => beginMail(one, rooms, now));
      return this.#hand(looked, begun.mailing!, rooms, false);
    }
    await this.#change(looked, (one) => {
      const at = Math.min(soon(), verdict.is === 'waiting' ? verdict.until : Infinity);
      return lookAgain(one, at === Infinity ? undefined : at);
    });
  }

  /** `isAgain`: it was begun in an earlier look, perhaps by another process. */
  async #hand(looked: Looked, mailing: Mailing, rooms: readonly UnreadRoom[], isAgain: boolean): Promise<void> {
    const { afterMs } = this.notes;
    const handed =
      rooms.length === 0 ? 'needless' : await this.sender.send(looked.userId, looked.pusher, mailing, rooms);
    await this.#change(looked, (digest) => {
      const now = this.clock.now();
      const again = handed === 'later' ? failMail(digest, now) : undefined;
      if (again !== undefined) return again;
      // Since it was begun nothing was noted of what came.
      const lookAt = isAgain || looked.hasMore() ? now + afterMs : undefined;
      const isRefused = handed === 'refused';
      return endMail(digest, handed === 'needless' ? [] : rooms, { now, afterMs, lookAt, isRefused });
    });
    if (handed === 'refused') await this.#endUnreachable(looked);
  }

  /** As a pusher whose gateway rejects it goes. Who has the address again sets one anew. */
  async #endUnreachable({ userId, pusher }: Looked): Promise<void> {
    const { digest = {} } = (await this.notes.find(userId, pusher)) ?? {};
    if (!isUnreachable(digest, this.clock.now())) return;
    this.#log.warn('a pusher was removed whose mails are refused for good');
    await this.notes.end(userId, pusher);
  }

  #change({ userId, pusher }: Looked, change: Change): Promise<void> {
    return this.notes.change(userId, pusher, change);
  }
}
