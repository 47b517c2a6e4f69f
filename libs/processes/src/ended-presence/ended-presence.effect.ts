import { Injectable } from '@nestjs/common';
import type { AccountFact } from '#accounts/facts/account-facts';
import { PresenceLists } from '#ephemeral/lists/presence-lists';
import { KeptPresence } from '#ephemeral/presence/kept-presence';
import type { RecordedFact } from '#event-store/event-store';
import { userIdOfStream } from '#kernel/user-stream';
import type { Effect } from '#projections/effects/effect';

const DEACTIVATED: AccountFact['type'] = 'account-deactivated';

/**
 * Lets go of what was kept of the presence of an account that is closed: when they did something last, what they said beside it, whom they
 * followed, and who followed them.
 */
@Injectable()
export class EndedPresence implements Effect {
  readonly name = 'ended-presence';

  constructor(
    private readonly kept: KeptPresence,
    private readonly lists: PresenceLists,
  ) {}

  keyOf({ type, stream }: RecordedFact): string | undefined {
    return type === DEACTIVATED ? stream : undefined;
  }

  async run({ stream, metadata }: RecordedFact): Promise<boolean> {
    const [userId, cause] = [userIdOfStream(stream), { actor: metadata.actor, device: metadata.device }];
    const hadList = await this.lists.end(userId, cause);
    return (await this.kept.end(userId, cause)) || hadList;
  }
}
