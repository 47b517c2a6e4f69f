import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import type { RecordedFact } from '#event-store/event-store';
import { VIEWS, type Views } from '#projections/views';
import type { Effect } from '#projections/effects/effect';
import type { JoinCompleted } from '#rooms/facts/join-facts';
import { roomIdOfStream } from '#rooms/facts/room-facts';
import { isServerIn } from '#rooms/reading/server-standing';
import { RoomFilling } from './room-filling.js';

/** The pauses between tries double up to an hour: nobody tells the rest of a room while all servers in it are away. */
const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 60 * 60_000;

/**
 * Fetches the rest of a room of which a part was told to who joined it, for as long as it takes. Where nobody here is in the room any more
 * other servers tell nothing of it: it stays as it is, and who joins it again fills it first.
 */
@Injectable()
export class FillRooms implements Effect {
  readonly name = 'partial-rooms';
  /** It may take days, and no request waits for it. */
  readonly handsOver = true;
  #stopping = new AbortController();

  constructor(
    private readonly filling: RoomFilling,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  begin(): Promise<void> {
    this.#stopping = new AbortController();
    // As many rooms as are partial wait for it.
    setMaxListeners(0, this.#stopping.signal);
    return Promise.resolve();
  }

  end(): void {
    this.#stopping.abort();
  }

  keyOf({ type, data, stream }: RecordedFact): string | undefined {
    if (type !== 'join-completed') return undefined;
    return (JSON.parse(data) as JoinCompleted).partial === undefined ? undefined : stream;
  }

  /** Throws where this process ends before the room is whole: the next one goes on. */
  async run({ stream }: RecordedFact): Promise<boolean> {
    const roomId = roomIdOfStream(stream);
    const { signal } = this.#stopping;
    const isIn = (): Promise<boolean> => isServerIn(this.views, roomId, this.config.serverName);
    for (let pause = FIRST_PAUSE_MS; await isIn(); pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      if ((await this.filling.fill(roomId)) !== undefined) return true;
      await delay(pause, undefined, { signal, ref: false });
    }
    return true;
  }
}
