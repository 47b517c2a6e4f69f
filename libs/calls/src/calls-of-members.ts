import { Inject, Injectable } from '@nestjs/common';
import { DEVICES } from '#accounts/projections/devices.projector';
import { CONFIG, type Config } from '#config/config';
import type { LiveKitConfig } from '#config/livekit-config';
import { MatrixError } from '#kernel/matrix-error';
import { VIEWS, type Views } from '#projections/views';
import { GrantCallToken } from './commands/grant-call-token.js';
import { LiveKit, type Seated } from './livekit/livekit.js';
import { openSeat, type SeatOwner } from './livekit/sealed-seat.js';

/**
 * Puts out of calls who has left the room, or was put out of it: MSC4195, "Kicking users from the SFU on room leave/ban"; and whose session here
 * has ended. A token holds for a while after, so also who comes in again is looked at.
 */
@Injectable()
export class CallsOfMembers {
  constructor(
    private readonly granting: GrantCallToken,
    private readonly livekit: LiveKit,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'livekit'>,
  ) {}

  /**
   * Looks at everybody who is in a call. What LiveKit does not do it is asked for again the next time; all others are looked at all the
   * same. Throws M_UNKNOWN with status 502 where it did not do something.
   */
  async check(): Promise<void> {
    const { livekit } = this.config;
    if (livekit === undefined) return;
    const refused: MatrixError[] = [];
    const unlessRefused = <T>(asking: Promise<T>): Promise<T | undefined> =>
      asking.catch((error: unknown) => {
        if (!(error instanceof MatrixError)) throw error;
        refused.push(error);
        return undefined;
      });
    for (const room of await this.livekit.listRooms(livekit)) {
      for (const seated of (await unlessRefused(this.livekit.listSeated(livekit, room))) ?? [])
        await unlessRefused(this.#check(livekit, room, seated));
    }
    if (refused[0] !== undefined) throw refused[0];
  }

  /** Looks at somebody who came into a call. */
  async noteCame(room: string, seated: Seated): Promise<void> {
    if (this.config.livekit !== undefined) await this.#check(this.config.livekit, room, seated);
  }

  /** Who came by a token of somebody else's making is nobody's business here. */
  async #check(livekit: LiveKitConfig, room: string, { identity, metadata }: Seated): Promise<void> {
    const owner = openSeat(metadata, livekit.secret);
    if (owner !== undefined && !(await this.#mayStay(owner))) await this.livekit.putOut(livekit, room, identity);
  }

  async #mayStay({ userId, deviceId, roomId }: SeatOwner): Promise<boolean> {
    if (deviceId !== undefined && !(await DEVICES.has(this.views, [userId, deviceId]))) return false;
    try {
      await this.granting.checkMayCall(userId, roomId);
      return true;
    } catch (error) {
      if (!(error instanceof MatrixError) || error.errcode !== 'M_FORBIDDEN') throw error;
      return false;
    }
  }
}
