import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { userIdOfStream } from '#kernel/user-stream';
import type { AccountFact, ProfileChanged, ReadersSet } from '#accounts/facts/account-facts';
import type { RecordedFact } from '#event-store/event-store';
import type { Effect } from '#projections/effects/effect';
import { AnnounceProfile } from '#rooms/commands/announce-profile';
import { SHOWN_IN_ROOMS, type ShownInRooms } from '#rooms/commands/change-membership';
import { actForUser } from '../act-for-user.js';

const CHANGED: ReadonlySet<string> = new Set<AccountFact['type']>(['profile-changed', 'readers-set']);
/**
 * Tells a user's rooms of a new name or avatar, and of one that is not for everybody any more: client-server API, "Events on Change of Profile
 * Information".
 */
@Injectable()
export class ProfileAnnouncement implements Effect {
  readonly name = 'profile-announcement';

  constructor(private readonly commands: CommandBus) {}

  keyOf(fact: RecordedFact): string | undefined {
    return CHANGED.has(fact.type) && changedIn(fact) !== undefined ? userIdOfStream(fact.stream) : undefined;
  }

  async run(fact: RecordedFact): Promise<boolean> {
    const key = changedIn(fact);
    if (key === undefined) return false;
    return this.commands.execute(new AnnounceProfile(actForUser(userIdOfStream(fact.stream), fact), key));
  }
}

/** What member events repeat, of what a fact says. */
function changedIn({ data }: RecordedFact): ShownInRooms | undefined {
  const { key, ...said } = JSON.parse(data) as ProfileChanged | ReadersSet;
  return 'of' in said && said.of !== 'profile' ? undefined : SHOWN_IN_ROOMS.find((one) => one === key);
}
