import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { userIdOfStream } from '#kernel/user-stream';
import type { AccountFact, ProfileChanged, ReadersSet } from '#accounts/facts/account-facts';
import type { RecordedFact } from '#event-store/event-store';
import type { Effect } from '#projections/effects/effect';
import { AnnounceProfile } from '#rooms/commands/announce-profile';
import { actForUser } from '../act-for-user.js';

const CHANGED: ReadonlySet<string> = new Set<AccountFact['type']>(['profile-changed', 'readers-set']);
/** The keys that member events repeat. */
const SHOWN_IN_ROOMS: ReadonlySet<string> = new Set(['displayname', 'avatar_url']);

/**
 * Tells a user's rooms of a new name or avatar, and of one that is not for everybody any more: client-server API, "Events on Change of Profile
 * Information".
 */
@Injectable()
export class ProfileAnnouncement implements Effect {
  readonly name = 'profile-announcement';

  constructor(private readonly commands: CommandBus) {}

  keyOf(fact: RecordedFact): string | undefined {
    if (!CHANGED.has(fact.type)) return undefined;
    const data = JSON.parse(fact.data) as ProfileChanged | ReadersSet;
    if ('of' in data && data.of !== 'profile') return undefined;
    return SHOWN_IN_ROOMS.has(data.key) ? userIdOfStream(fact.stream) : undefined;
  }

  run(fact: RecordedFact): Promise<boolean> {
    return this.commands.execute(new AnnounceProfile(actForUser(userIdOfStream(fact.stream), fact)));
  }
}
