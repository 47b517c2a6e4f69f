import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { CLOCK, type Clock } from '#kernel/clock';
import { MatrixError } from '#kernel/matrix-error';
import { mayPass } from '#kernel/may-pass';
import { VIEWS, type Views } from '#projections/views';
import { DelayedEvents } from './delayed-events.js';
import { LiveKit } from './livekit/livekit.js';
import { DELAYED_EVENTS, DELEGATED_LEAVES } from './projections/delayed-events.projector.js';

/** When to look again, and whether the participant was seen so far. */
export interface NextLook {
  readonly inMs: number;
  readonly wasSeen: boolean;
}

/** For how long somebody may take to connect. */
const WAIT_MS = 5 * 60_000;
/** How often it is looked who is there, where LiveKit does not say who goes: it promises to say so, and does not always. */
const LOOK_MS = 30_000;
/** So often at least while the event's own time lasts. */
const LOOKS = 3;

/** Hang-ups that clients have handed over: they are sent when who is in the call is gone from LiveKit, and not before (MSC4195, "Optional delegated delayed leave events"). */
@Injectable()
export class DelegatedLeaves {
  constructor(
    private readonly delayed: DelayedEvents,
    private readonly livekit: LiveKit,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'livekit'>,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * Looks whether the participant is there whose hang-up this is. Who is has it put off; who is gone, or did not come in time, has it sent. Where LiveKit does
   * not say, the event's own time decides. Answers undefined where nothing is left to look after. Throws what is no refusal.
   */
  async look(delayId: string, wasSeen: boolean): Promise<NextLook | undefined> {
    const row = await DELAYED_EVENTS.get(this.views, [delayId]);
    const { livekit } = this.config;
    if (row?.delegation === undefined || row.since === undefined || row.delay === undefined) return undefined;
    if (livekit === undefined) return undefined;
    const { userId, since, delay, delegation, seen } = row;
    const isNoted = seen === delegation.since;
    const isThere = await this.livekit.isThere(livekit, delegation.room, delegation.identity);
    const now = this.clock.now();
    const isLate = wasSeen || isNoted || now - delegation.since > WAIT_MS;
    if (isThere === false && isLate) {
      await this.#isTaken(this.delayed.send(userId, delayId));
      return undefined;
    }
    const isSeen = wasSeen || isNoted || isThere === true;
    // Whoever looks after it behind a crash is to know that they were there.
    const isNews = isThere === true && !isNoted;
    const isTimely = isThere === undefined || now - since <= delay / 2;
    if (isNews || !isTimely) {
      const restarted = this.delayed.restart(userId, delayId, isSeen ? delegation.since : undefined);
      if (!(await this.#isTaken(restarted))) return undefined;
    }
    return { inMs: Math.min(LOOK_MS, delay / LOOKS), wasSeen: isSeen };
  }

  /** Sends what is to be sent once this participant is gone, who is said to be, unless they are there again. Throws what is no refusal. */
  async noteLeft(room: string, identity: string): Promise<void> {
    const row = await DELEGATED_LEAVES.get(this.views, [room, identity]);
    const { livekit } = this.config;
    if (row === undefined || livekit === undefined) return;
    if ((await this.livekit.isThere(livekit, room, identity)) !== false) return;
    await this.#isTaken(this.delayed.send(row.userId, row.delayId));
  }

  /** Whether it was not refused. What the room refuses now it may take, or refuse for good, when the event's own time has come. */
  async #isTaken(acting: Promise<void>): Promise<boolean> {
    try {
      await acting;
      return true;
    } catch (error) {
      if (error instanceof MatrixError && !mayPass(error)) return false;
      throw error;
    }
  }
}
