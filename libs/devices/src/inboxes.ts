import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { BY_SERVER } from '#accounts/accounts';
import { Aggregates } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { findLogIdentity } from '#event-store/log-identity';
import { CLOCK, type Clock } from '#kernel/clock';
import { type CacheNumbers, LruCache } from '#kernel/lru-cache';
import { type Position, START } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import { foldTaken, type LastTaken, NOTHING_TAKEN } from './decide/last-taken.js';
import type { DeviceKey } from './facts/device-streams.js';
import {
  type ExpiryReason,
  inboxStream,
  type SentFacts,
  type ToDeviceCollected,
  type ToDeviceCrowdedOut,
  type ToDeviceExpired,
} from './facts/to-device-facts.js';
import { INBOX, type InboxRow, OUTSTANDING, outstandingKey } from './projections/inbox.projector.js';

/** What this process knows of a device's inbox. */
interface Arrived {
  /** The device has everything up to here. */
  readonly upTo: Position;
  /** The first message that it was told of and has not collected, as far as this process knows. */
  readonly told: Position | undefined;
}

/** A message that waits for a device, or did. */
export interface MessagePlace extends Pick<InboxRow, 'stream' | 'revision'> {
  readonly position: Position;
}

const CAPACITY = 20_000;
/** How long it is gathered what another server has, or an application service. */
const GATHERED_MS = 2_000;
/** So many messages one fact names. */
const AT_ONCE = 1_000;
/** So many messages are looked at together that a service may have: their texts are read too. */
const LOOKED_AT_ONCE = 64;

/**
 * The write side of inboxes: notes what devices have collected, and drops what they never will. What a device is told is decided by
 * its token alone, so nobody waits for a note.
 */
@Injectable()
export class Inboxes implements OnModuleDestroy {
  readonly #streams: Aggregates<LastTaken>;
  readonly #arrived = new LruCache<string, Arrived>(CAPACITY);
  /** What is being noted, and up to where it is to be noted then. */
  readonly #noting = new Map<string, Position>();
  /** What application services have for devices, until it is noted. */
  readonly #handedOver = new Map<string, Map<Position, MessagePlace>>();
  /** What other servers and services have is noted then. */
  readonly #later = new Map<string, { readonly note: () => Promise<void>; readonly timer: NodeJS.Timeout }>();
  /** Of which log the positions are, once that was read. */
  #logId: string | null | undefined;

  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(CLOCK) clock: Clock,
    @Inject(VIEWS) private readonly views: Pick<Views, 'get' | 'scan'>,
  ) {
    const fold = { initialState: NOTHING_TAKEN, evolve: foldTaken, newestOnly: true } as const;
    this.#streams = new Aggregates({ store, clock, capacity: CAPACITY, ...fold });
  }

  /** For metrics. */
  get caches(): Readonly<Record<string, CacheNumbers>> {
    return { inboxes: this.#streams.numbers, 'inboxes-told': this.#arrived.numbers };
  }

  /** Up to where a device is known to have everything: whatever token it comes with, it is told that no more. */
  arrivedUpTo(device: DeviceKey): Position {
    return this.#arrived.get(inboxStream(device))?.upTo ?? START;
  }

  /** A device was told of messages, and may or may not get the answer. `first`: the position of the first of them. */
  noteTold(device: DeviceKey, first: Position): void {
    const stream = inboxStream(device);
    const { upTo, told } = this.#arrived.get(stream) ?? { upTo: START, told: undefined };
    if (told === undefined || first < told) this.#arrived.set(stream, { upTo, told: first });
  }

  /**
   * A device came with the token of an answer: it has what was sent to it up to `upTo`. Noted in the log behind the caller's back,
   * and where that fails the next time.
   */
  noteArrival(device: DeviceKey, upTo: Position): void {
    const stream = inboxStream(device);
    const known = this.#arrived.get(stream);
    if (known !== undefined && known.upTo >= upTo) return;
    const told = known?.told !== undefined && known.told > upTo ? known.told : undefined;
    this.#arrived.set(stream, { upTo, told });
    // Of a device that this process does not know nobody here knows what it was told before.
    if (known !== undefined && (known.told === undefined || known.told > upTo)) return;
    const isNoting = this.#noting.has(stream);
    this.#noting.set(stream, upTo);
    if (!isNoting) void this.#note(device, stream);
  }

  /**
   * Another server has what waits for it up to a place. Noted in the log behind the caller's back, together with what else it has some seconds
   * later, and where that fails with the next: each message would be a fact otherwise, for each of them.
   */
  noteDelivered(mailbox: DeviceKey, upTo: Position): void {
    const stream = inboxStream(mailbox);
    const noting = this.#noting.get(stream);
    if (noting !== undefined && noting >= upTo) return;
    this.#noting.set(stream, upTo);
    if (noting !== undefined) return;
    this.#noteLater(stream, () => this.#note(mailbox, stream));
  }

  /**
   * An application service has these messages to a device of its users, and no others: of what else waits it may have been sent nothing.
   * Noted as what another server has.
   */
  noteHandedOver(device: DeviceKey, messages: readonly MessagePlace[]): void {
    const stream = inboxStream(device);
    const gathered = this.#handedOver.get(stream) ?? new Map<Position, MessagePlace>();
    this.#handedOver.set(stream, gathered);
    for (const message of messages) gathered.set(message.position, message);
    if (!this.#later.has(stream)) this.#noteLater(stream, () => this.#noteThese(device, stream));
  }

  /** What was still gathered is noted now. */
  async onModuleDestroy(): Promise<void> {
    const later = [...this.#later.values()];
    for (const { timer } of later) clearTimeout(timer);
    await Promise.all(later.map(({ note }) => note()));
  }

  /** Drops what was sent to a device up to a place, and answers how many messages that were. */
  async expire(device: DeviceKey, upTo: Position, reason: ExpiryReason): Promise<number> {
    return this.#take(device, upTo, (data) => ({
      type: 'to-device-expired',
      data: { ...data, reason } satisfies ToDeviceExpired,
    }));
  }

  /** Drops some of what was sent to a device, wherever it stands. */
  async crowdOut(
    device: DeviceKey,
    messages: readonly Pick<InboxRow, 'stream' | 'revision'>[],
    reason: ToDeviceCrowdedOut['reason'],
  ): Promise<void> {
    const type = 'to-device-crowded-out';
    await this.#takeNamed(device, messages, (data) => ({
      type,
      data: { ...data, reason } satisfies ToDeviceCrowdedOut,
    }));
  }

  #noteLater(stream: string, noteNow: () => Promise<void>): void {
    const note = (): Promise<void> => {
      this.#later.delete(stream);
      return noteNow();
    };
    this.#later.set(stream, { note, timer: setTimeout(() => void note(), GATHERED_MS).unref() });
  }

  async #noteThese(device: DeviceKey, stream: string): Promise<void> {
    const these = this.#handedOver.get(stream);
    if (these === undefined) return;
    this.#handedOver.delete(stream);
    try {
      await this.#takeThese(device, these);
    } catch {
      this.#handedOver.set(stream, new Map([...these, ...(this.#handedOver.get(stream) ?? [])]));
    }
  }

  /** What stands before all else that waits is taken as one that syncs takes it; what stands behind something else, by its name. */
  async #takeThese(device: DeviceKey, these: ReadonlyMap<Position, MessagePlace>): Promise<void> {
    const upTo = await this.#findFirsts(device, these);
    if (upTo !== undefined) await this.#take(device, upTo, (data) => ({ type: 'to-device-collected', data }));
    const behind: MessagePlace[] = [];
    for (const message of these.values()) {
      if (upTo !== undefined && message.position <= upTo) continue;
      const waits = await OUTSTANDING.has(this.views, [...outstandingKey(message.stream, message.revision), ...device]);
      if (waits) behind.push(message);
    }
    await this.#takeNamed(device, behind, (data) => ({ type: 'to-device-collected', data: { ...data, alone: true } }));
  }

  /** Up to where nothing waits for a device but these. */
  async #findFirsts(device: DeviceKey, these: ReadonlyMap<Position, MessagePlace>): Promise<Position | undefined> {
    let upTo: Position | undefined;
    for await (const rows of INBOX.pages(this.views, { prefix: device }, LOOKED_AT_ONCE)) {
      for (const { key } of rows) {
        if (!these.has(key[2])) return upTo;
        upTo = key[2];
      }
    }
    return upTo;
  }

  /** Says of some of what was sent to a device that it is taken, wherever it stands. */
  async #takeNamed(
    device: DeviceKey,
    messages: readonly Pick<InboxRow, 'stream' | 'revision'>[],
    fact: (data: ToDeviceCollected) => { readonly type: string; readonly data: ToDeviceCollected },
  ): Promise<void> {
    for (let at = 0; at < messages.length; at += AT_ONCE) {
      const some = messages.slice(at, at + AT_ONCE);
      const from = revisionsOf(some);
      await this.#streams.execute(
        inboxStream(device),
        ({ upTo, logId }) => {
          const { type, data } = fact({ up_to: upTo, log_id: logId, from });
          const [{ stream, revision }] = some as [InboxRow];
          return [{ id: `${type} ${stream} ${revision}`, type, data: JSON.stringify(data) }];
        },
        BY_SERVER,
      );
    }
  }

  async #note(device: DeviceKey, stream: string): Promise<void> {
    for (let upTo = this.#noting.get(stream); upTo !== undefined;) {
      try {
        await this.#take(device, upTo, (data) => ({ type: 'to-device-collected', data }));
      } catch {
        // It is forgotten what was noted: so it is looked at again when the device comes the next time.
        const known = this.#arrived.get(stream);
        if (known !== undefined) this.#arrived.set(stream, { ...known, told: START });
      }
      const next = this.#noting.get(stream);
      if (next === upTo) this.#noting.delete(stream);
      upTo = next === upTo ? undefined : next;
    }
  }

  /** Says of what waits up to a place that it is taken. */
  async #take(
    device: DeviceKey,
    upTo: Position,
    fact: (data: ToDeviceCollected) => { readonly type: string; readonly data: ToDeviceCollected },
  ): Promise<number> {
    const logId = (this.#logId ??= await this.#findLogId());
    let taken = 0;
    for await (const rows of INBOX.pages(this.views, { prefix: device, to: [...device, upTo] }, AT_ONCE)) {
      const from = revisionsOf(rows.map(({ value }) => value));
      const last = rows.at(-1)!.key[2];
      await this.#streams.execute(
        inboxStream(device),
        (before) => {
          // Another process may have noted more: the last fact is the one that counts.
          const isFurther = before.logId === logId && before.upTo > last;
          const { type, data } = fact({ up_to: isFurther ? before.upTo : last, log_id: logId, from });
          return [{ id: `${type} ${last}`, type, data: JSON.stringify(data) }];
        },
        BY_SERVER,
      );
      taken += rows.length;
    }
    return taken;
  }

  /** null only where nobody named the log. */
  async #findLogId(): Promise<string | null> {
    return (await findLogIdentity(this.store))?.logId ?? null;
  }
}

function revisionsOf(messages: readonly Pick<InboxRow, 'stream' | 'revision'>[]): SentFacts {
  const from: Record<string, number[]> = {};
  for (const { stream, revision } of messages) (from[stream] ??= []).push(revision);
  return from;
}
