import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { MatrixError } from '#kernel/matrix-error';
import { mayPass } from '#kernel/may-pass';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { listJoinedRooms } from '../queries/list-user-rooms.js';
import { MembershipChanges, type ShownInRooms } from './change-membership.js';

/** How many rooms are told at the same time. */
const ROOMS_AT_ONCE = 16;

/**
 * Tells the rooms the requester is in of their name or avatar, as the views have it: client-server API, "Events on Change of Profile
 * Information". Each is told what holds when its turn comes: where the profile changes again meanwhile no room is told twice, and one that
 * was told before a crash is not told again. The member event keeps whatever else it said. Answers whether any room had not heard of it. Throws
 * what may pass, of whichever room it is, once all others are told.
 */
export class AnnounceProfile extends Command<boolean> {
  /** `key`: what has changed. What a room is told of the other stays: it may be what the user is called there alone. */
  constructor(
    readonly requester: Requester,
    readonly key: ShownInRooms,
  ) {
    super();
  }
}

@CommandHandler(AnnounceProfile)
export class AnnounceProfileHandler implements ICommandHandler<AnnounceProfile> {
  constructor(
    private readonly memberships: MembershipChanges,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  async execute({ requester, key }: AnnounceProfile): Promise<boolean> {
    const { userId } = requester;
    const rooms = await listJoinedRooms(this.views, userId);
    const next = rooms[Symbol.iterator]();
    let told = 0;
    const passing: MatrixError[] = [];
    const tell = async (): Promise<void> => {
      for (let room = next.next(); room.done !== true; room = next.next()) {
        try {
          if (await this.memberships.tellProfile(requester, room.value, { keys: [key] })) told++;
        } catch (error) {
          if (!(error instanceof MatrixError) || !mayPass(error)) throw error;
          passing.push(error);
        }
      }
    };
    await Promise.all(Array.from({ length: ROOMS_AT_ONCE }, tell));
    if (passing[0] !== undefined) throw passing[0];
    return told > 0;
  }
}
