import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { userIdOfStream } from '#kernel/user-stream';
import type { AccountFact, ProfileChanged } from '#accounts/facts/account-facts';
import type { RecordedFact } from '#event-store/event-store';
import type { Effect } from '#projections/effects/effect';
import { AnnounceProfile } from '#rooms/commands/announce-profile';
import { actForUser } from '../act-for-user.js';

const CHANGED: AccountFact['type'] = 'profile-changed';
/** The keys that member events repeat. */
const SHOWN_IN_ROOMS: ReadonlySet<string> = new Set(['displayname', 'avatar_url']);

/** Tells a user's rooms of a new name or avatar: client-server API, "Events on Change of Profile Information". */
@Injectable()
export class ProfileAnnouncement implements Effect {
  readonly name = 'profile-announcement';

  constructor(private readonly commands: CommandBus) {}

  keyOf(fact: RecordedFact): string | undefined {
    if (fact.type !== CHANGED) return undefined;
    const { key } = JSON.parse(fact.data) as ProfileChanged;
    return SHOWN_IN_ROOMS.has(key) ? userIdOfStream(fact.stream) : undefined;
  }

  run(fact: RecordedFact): Promise<boolean> {
    return this.commands.execute(new AnnounceProfile(actForUser(userIdOfStream(fact.stream), fact)));
  }
}
