import { Inject, Injectable, Logger } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { userIdOfStream } from '#kernel/user-stream';
import type { AccountFact } from '#accounts/facts/account-facts';
import type { RecordedFact } from '#event-store/event-store';
import type { Effect, Stands } from '#projections/effects/effect';
import { VIEWS, type Views } from '#projections/views';
import { listUserRooms } from '#rooms/queries/list-user-rooms';
import { actForUser } from '../act-for-user.js';
import { leaveForUser } from '../leave-for-user.js';

const DEACTIVATED: AccountFact['type'] = 'account-deactivated';
/** What somebody who is gone is still in. */
const PRESENT: ReadonlySet<string> = new Set(['join', 'invite', 'knock']);
const ROOMS_AT_ONCE = 8;
const STAYS = 'a closed account has not left a room';

/**
 * Lets who closed their account leave their rooms, so that nobody talks to somebody who cannot answer.
 * NOTSPEC: the specification leaves it open; people expect it.
 */
@Injectable()
export class Departure implements Effect {
  readonly name = 'departure';
  readonly #log = new Logger('processes');

  constructor(
    private readonly commands: CommandBus,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  keyOf(fact: RecordedFact): string | undefined {
    return fact.type === DEACTIVATED ? userIdOfStream(fact.stream) : undefined;
  }

  async run(fact: RecordedFact, stands: Stands): Promise<boolean> {
    const requester = actForUser(userIdOfStream(fact.stream), fact);
    const rooms = await listUserRooms(this.views, requester.userId);
    const left = [...rooms].filter(([, { membership }]) => PRESENT.has(membership)).map(([roomId]) => roomId);
    const next = left[Symbol.iterator]();
    const leave = async (): Promise<void> => {
      for (const roomId of next) {
        // They may be in it anew.
        if (!(await stands())) return;
        await leaveForUser(this.commands, requester, roomId, this.#log, STAYS);
      }
    };
    await Promise.all(Array.from({ length: ROOMS_AT_ONCE }, leave));
    return left.length > 0;
  }
}
