import { Inject, Injectable } from '@nestjs/common';
import { CallsOfMembers } from '#calls/calls-of-members';
import { CONFIG, type Config } from '#config/config';
import type { RecordedFact } from '#event-store/event-store';
import { MatrixError } from '#kernel/matrix-error';
import { messageOf } from '#kernel/message-of';
import { LOGGER, type Logger } from '#observability/logger';
import type { Effect } from '#projections/effects/effect';

/** However many leave at once, calls are looked at so often at most. */
const SOON_MS = 1_000;
/** And so often in any case: LiveKit may not have answered, or not have said who came. */
const LOOK_MS = 30_000;

/** Has who leaves a room, or is put out of it, put out of its calls: MSC4195. And whose session ends. */
@Injectable()
export class LeftCalls implements Effect {
  readonly name = 'left-calls';
  readonly handsOver = true;
  #timer: NodeJS.Timeout | undefined;
  #isSoon = false;
  #runs = false;

  constructor(
    private readonly calls: CallsOfMembers,
    @Inject(CONFIG) private readonly config: Pick<Config, 'livekit'>,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async begin(): Promise<void> {
    if (this.config.livekit === undefined) return;
    this.#runs = true;
    this.#wait(LOOK_MS);
  }

  end(): void {
    this.#runs = false;
    clearTimeout(this.#timer);
  }

  /** PERF: no fact is parsed: who leaves cannot be told from who is only spoken of, and it is looked at who is in calls. */
  keyOf({ type, stream, data }: RecordedFact): string | undefined {
    if (this.config.livekit === undefined) return undefined;
    if (type === 'devices-removed') return stream;
    if (type !== 'pdu-accepted' || !data.includes('"m.room.member"')) return undefined;
    return data.includes('"leave"') || data.includes('"ban"') ? stream : undefined;
  }

  async run(): Promise<boolean> {
    if (!this.#runs || this.#isSoon) return false;
    this.#isSoon = true;
    this.#wait(SOON_MS);
    return true;
  }

  #wait(inMs: number): void {
    clearTimeout(this.#timer);
    if (this.#runs) this.#timer = setTimeout(() => void this.#look(), inMs).unref();
  }

  async #look(): Promise<void> {
    this.#isSoon = false;
    const timer = this.#timer;
    try {
      await this.calls.check();
    } catch (error) {
      // That LiveKit does not answer is told where it is asked.
      if (!(error instanceof MatrixError)) {
        this.logger.warn({ context: 'left-calls' }, `Calls are looked at later: ${messageOf(error)}`);
      }
    }
    // Somebody may have left meanwhile.
    if (this.#timer === timer) this.#wait(LOOK_MS);
  }
}
