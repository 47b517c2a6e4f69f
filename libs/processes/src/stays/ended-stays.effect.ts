import { Inject, Injectable, Logger } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { AccountFact } from '#accounts/facts/account-facts';
import type { RecordedFact } from '#event-store/event-store';
import type { RoomId } from '#kernel/ids';
import { userIdOfStream } from '#kernel/user-stream';
import type { Effect, Stands } from '#projections/effects/effect';
import { VIEWS, type Views } from '#projections/views';
import { MembershipsElsewhere } from '#rooms/commands/memberships-elsewhere';
import { listUserRooms } from '#rooms/queries/list-user-rooms';
import { actForUser } from '../act-for-user.js';
import { leaveForUser } from '../leave-for-user.js';

const DEACTIVATED: AccountFact['type'] = 'account-deactivated';
const STAYS = 'a closed account has not left a room that is not here';

/**
 * Ends what somebody was in rooms that are not here who closed their account, and lets go of what was kept of that. Their servers are asked
 * once more, beside what `Departure` and `UnfinishedHandshake` ask them: who cannot be reached by then is told nothing.
 */
@Injectable()
export class EndedStays implements Effect {
  readonly name = 'ended-stays';
  readonly fromStart = true;
  readonly #log = new Logger('processes');

  constructor(
    private readonly commands: CommandBus,
    private readonly elsewhere: MembershipsElsewhere,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  keyOf({ type, stream }: RecordedFact): string | undefined {
    return type === DEACTIVATED ? stream : undefined;
  }

  async run(fact: RecordedFact, stands: Stands): Promise<boolean> {
    const { metadata } = fact;
    const requester = actForUser(userIdOfStream(fact.stream), fact);
    for (const roomId of await this.#open(requester.userId)) {
      if (!(await stands())) return true;
      await leaveForUser(this.commands, requester, roomId, this.#log, STAYS);
    }
    if (!(await stands())) return true;
    return this.elsewhere.close(requester.userId, { actor: metadata.actor, device: metadata.device });
  }

  /** Rooms that are not here of which they are told, or in which they may be. */
  async #open(userId: ReturnType<typeof userIdOfStream>): Promise<ReadonlySet<RoomId>> {
    const rooms = await listUserRooms(this.views, userId);
    const told = [...rooms].filter(([, { elsewhere, membership }]) => elsewhere === true && membership !== 'leave');
    return new Set([...told.map(([roomId]) => roomId), ...(await this.elsewhere.handshakes.rooms(userId))]);
  }
}
