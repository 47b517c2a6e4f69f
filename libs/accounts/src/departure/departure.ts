import { Inject, Injectable, Logger } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { RecordedFact } from '#event-store/event-store';
import type { DeviceId, RoomId } from '#kernel/ids';
import type { Requester } from '#kernel/requester';
import type { Listener } from '#projections/listener';
import { VIEWS, type Views } from '#projections/views';
import { LeaveRoom } from '#rooms/commands/leave-room';
import { listUserRooms } from '#rooms/queries/list-user-rooms';
import { type AccountFact, userIdOfStream } from '../facts/account-facts.js';

const DEACTIVATED: AccountFact['type'] = 'account-deactivated';
/** What somebody who is gone is still in. */
const PRESENT: ReadonlySet<string> = new Set(['join', 'invite', 'knock']);
const ROOMS_AT_ONCE = 8;

/**
 * Lets who closed their account leave their rooms, so that nobody talks to somebody who cannot answer.
 * NOTSPEC: the specification leaves it open; people expect it.
 */
@Injectable()
export class Departure implements Listener {
  readonly name = 'departure';
  readonly #log = new Logger('accounts');

  constructor(
    private readonly commands: CommandBus,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  hear(facts: readonly RecordedFact[]): void {
    for (const fact of facts) if (fact.type === DEACTIVATED) void this.#leaveAll(fact);
  }

  async #leaveAll(fact: RecordedFact): Promise<void> {
    const requester: Requester = {
      userId: userIdOfStream(fact.stream),
      deviceId: '' as DeviceId, // The devices are gone.
      isAdmin: false,
      requestId: fact.metadata.correlation ?? fact.id,
    };
    try {
      const rooms = await listUserRooms(this.views, requester.userId);
      const left = [...rooms].filter(([, { membership }]) => PRESENT.has(membership)).map(([roomId]) => roomId);
      const next = left[Symbol.iterator]();
      const leave = async (): Promise<void> => {
        for (const roomId of next) await this.#leave(requester, roomId);
      };
      await Promise.all(Array.from({ length: ROOMS_AT_ONCE }, leave));
    } catch (error) {
      this.#log.error({ err: error, userId: requester.userId }, 'a closed account has not left its rooms');
    }
  }

  /** One room that does not let go must not keep the user in the others. */
  async #leave(requester: Requester, roomId: RoomId): Promise<void> {
    try {
      await this.commands.execute(new LeaveRoom(requester, roomId));
    } catch (error) {
      this.#log.warn({ err: error, userId: requester.userId, roomId }, 'a closed account has not left a room');
    }
  }
}
