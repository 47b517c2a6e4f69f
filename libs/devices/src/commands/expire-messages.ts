import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { messageOf } from '#kernel/message-of';
import { type Position, START } from '#kernel/position';
import { LOGGER, type Logger } from '#observability/logger';
import { type Metrics, METRICS } from '#observability/metrics';
import { HELD_CLOCK, type HeldClock } from '#projections/held-clock';
import { VIEWS, type Views } from '#projections/views';
import { READ_MODEL_STORE, type ReadModelStore } from '#read-models/read-model-store';
import { crowdedOut, type WaitingMessage } from '../decide/crowded-out.js';
import type { DeviceKey } from '../facts/device-streams.js';
import { type ExpiryReason, senderOfStream } from '../facts/to-device-facts.js';
import { Inboxes } from '../inboxes.js';
import { INBOX, type InboxRow, OUTSTANDING, outstandingKey } from '../projections/inbox.projector.js';

/** What an inbox may hold: how old, how many and how much. */
const INBOX_LIMITS = Object.freeze({
  age: 30 * 24 * 60 * 60_000,
  number: 10_000,
  size: 50 * 1024 * 1024,
});

/** What waits for a device. */
interface Waiting {
  readonly device: DeviceKey;
  count: number;
  bytes: number;
  /** When the oldest was sent, and the position of the last that is too old. */
  oldest: number;
  expired: Position;
}

/** What waits for all devices together, as of the last look. */
interface WaitingInAll {
  readonly messages: number;
  readonly bytes: number;
  readonly devices: number;
  /** How old the oldest is; 0 where there is none. */
  readonly oldestMs: number;
}

const NOTHING: WaitingInAll = Object.freeze({ messages: 0, bytes: 0, devices: 0, oldestMs: 0 });
const SWEEP_MS = 5 * 60_000;
const PAGE = 1_000;

/**
 * Drops the messages that nobody collects, and tells operators what waits. Done now and then by the process that writes the views;
 * the others know of nothing that waits.
 */
@Injectable()
export class ExpireMessages implements OnModuleInit, OnModuleDestroy {
  #timer: NodeJS.Timeout | undefined;
  #waiting = NOTHING;
  readonly #dropped = new Map<ExpiryReason, number>();

  constructor(
    @Inject(VIEWS) private readonly views: Views,
    @Inject(READ_MODEL_STORE) private readonly readModels: ReadModelStore,
    @Inject(HELD_CLOCK) private readonly clock: HeldClock,
    @Inject(METRICS) private readonly metrics: Metrics,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly inboxes: Inboxes,
  ) {}

  onModuleInit(): void {
    this.#addMetrics();
    this.#timer = setInterval(() => void this.#sweepSafely(), SWEEP_MS).unref();
  }

  onModuleDestroy(): void {
    clearInterval(this.#timer);
  }

  /** Looks at all that waits, and drops what is beyond the limits. Throws where the log or the views cannot be used. */
  async sweep(limits: Readonly<Record<'age' | 'number' | 'size', number>> = INBOX_LIMITS): Promise<void> {
    const inboxes = new Map<string, Waiting>();
    const now = await this.clock.now();
    const tooOld = now - limits.age;
    for await (const page of OUTSTANDING.pages(this.views, {}, PAGE)) {
      for (const { key, value } of page) {
        const [, , userId, deviceId] = key;
        const name = JSON.stringify([userId, deviceId]);
        const inbox = inboxes.get(name) ?? { device: [userId, deviceId], count: 0, bytes: 0, oldest: Infinity, expired: START }; // prettier-ignore
        inboxes.set(name, inbox);
        inbox.count++;
        inbox.bytes += value.bytes;
        inbox.oldest = Math.min(inbox.oldest, value.at);
        if (value.at < tooOld && value.position > inbox.expired) inbox.expired = value.position;
      }
    }
    this.#waiting = sumOf(inboxes.values(), now);
    for (const inbox of inboxes.values()) await this.#drop(inbox, limits);
  }

  async #drop(inbox: Waiting, limits: Readonly<Record<'number' | 'size', number>>): Promise<void> {
    const { device, expired } = inbox;
    const tooOld = expired > START ? await this.inboxes.expire(device, expired, 'age') : 0;
    if (tooOld > 0) this.#tell(device, 'age', tooOld);
    if (inbox.count <= limits.number && inbox.bytes <= limits.size) return;
    const out = crowdedOut(await this.#listWaiting(device, expired), limits);
    for (const reason of ['number', 'size'] as const) {
      if (out[reason].length === 0) continue;
      await this.inboxes.crowdOut(device, out[reason], reason);
      this.#tell(device, reason, out[reason].length);
    }
  }

  /** What waits for a device behind a position, in its order. */
  async #listWaiting(
    device: DeviceKey,
    after: Position,
  ): Promise<(WaitingMessage & Pick<InboxRow, 'stream' | 'revision'>)[]> {
    const waiting: (WaitingMessage & Pick<InboxRow, 'stream' | 'revision'>)[] = [];
    for await (const page of INBOX.pages(this.views, { prefix: device, after: [...device, after] }, PAGE)) {
      for (const { value } of page) {
        const { stream, revision, event } = value;
        // Of what waits for another server the event is not here.
        const row = event === '' ? await OUTSTANDING.get(this.views, [...outstandingKey(stream, revision), ...device]) : undefined; // prettier-ignore
        const bytes = row?.bytes ?? Buffer.byteLength(event);
        waiting.push({ stream, revision, sender: senderOfStream(stream), bytes });
      }
    }
    return waiting;
  }

  #tell(device: DeviceKey, reason: ExpiryReason, count: number): void {
    this.#dropped.set(reason, (this.#dropped.get(reason) ?? 0) + count);
    const [userId, deviceId] = device;
    this.logger.warn(
      { context: 'to-device', user: userId, device: deviceId, reason, messages: count },
      `${count} messages to a device that does not collect them were dropped (${reason})`,
    );
  }

  async #sweepSafely(): Promise<void> {
    if (!this.readModels.isWriter) {
      this.#waiting = NOTHING;
      return;
    }
    try {
      await this.sweep();
    } catch (error) {
      this.logger.warn({ context: 'to-device' }, `What waits for devices was not looked at: ${messageOf(error)}`);
    }
  }

  #addMetrics(): void {
    const { metrics } = this;
    const add = (name: string, help: string, read: (waiting: WaitingInAll) => number): void =>
      metrics.addGauge(`annals_to_device_${name}`, help, () => read(this.#waiting));
    add('waiting', 'Messages that devices have not collected', ({ messages }) => messages);
    add('waiting_bytes', 'Bytes of these messages', ({ bytes }) => bytes);
    add('waiting_devices', 'Devices that messages wait for', ({ devices }) => devices);
    add(
      'oldest_seconds',
      'Age of the oldest of these messages; 0 where there is none',
      ({ oldestMs }) => oldestMs / 1000,
    );
    metrics.addCounters(
      'annals_to_device_dropped_total',
      'Messages that were dropped because nobody collected them, by reason',
      ['reason'],
      async () => [...this.#dropped].map(([reason, count]) => [{ reason }, count] as const),
    );
  }
}

function sumOf(inboxes: Iterable<Waiting>, now: number): WaitingInAll {
  let [messages, bytes, devices, oldest] = [0, 0, 0, Infinity];
  for (const inbox of inboxes) {
    messages += inbox.count;
    bytes += inbox.bytes;
    devices++;
    oldest = Math.min(oldest, inbox.oldest);
  }
  return { messages, bytes, devices, oldestMs: Math.max(0, now - oldest) };
}
