import { Inject, Injectable } from '@nestjs/common';
import { BY_SERVER } from '#accounts/accounts';
import { CONFIG, type Config } from '#config/config';
import {
  readSubscriptionFact,
  type SubscriptionFact,
  SUBSCRIPTIONS_STREAM_PREFIX,
  userIdOfSubscriptions,
} from '#ephemeral/facts/subscription-facts';
import { PresenceLists, type ToldByOther } from '#ephemeral/lists/presence-lists';
import { isAskedNow } from '#ephemeral/queries/is-asked-now';
import type { RecordedFact } from '#event-store/event-store';
import { isSaidAgain } from '#event-store/shorten-stream';
import { serverNameOf } from '#kernel/ids';
import type { Effect } from '#projections/effects/effect';
import { VIEWS, type Views } from '#projections/views';

/**
 * What one user of this server decided of a presence list reaches the other: that they are asked, that they may see, that it is over. For
 * users of other servers federation tells it.
 */
@Injectable()
export class TellLists implements Effect {
  readonly name = 'presence-lists';

  constructor(
    private readonly lists: PresenceLists,
    @Inject(VIEWS) private readonly views: Pick<Views, 'get'>,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  /** The two, in whichever order: what they do crosses. */
  keyOf(fact: RecordedFact): string | undefined {
    if (!fact.stream.startsWith(SUBSCRIPTIONS_STREAM_PREFIX) || isSaidAgain(fact)) return undefined;
    const [owner, read] = [userIdOfSubscriptions(fact.stream), readSubscriptionFact(fact)];
    const other = read.data.user_id;
    if (toldOf(read) === undefined || serverNameOf(other) !== this.config.serverName) return undefined;
    return [owner, other].sort().join(' ');
  }

  async run(fact: RecordedFact): Promise<boolean> {
    const [owner, read] = [userIdOfSubscriptions(fact.stream), readSubscriptionFact(fact)];
    const [other, told] = [read.data.user_id, toldOf(read)];
    if (told === undefined) return false;
    if (told.what === 'asked' && !(await isAskedNow(this.views, [owner, other], told.ask))) return false;
    const isThere = await this.lists.note(other, told, owner, BY_SERVER);
    // Nobody is there who could be asked: the list says no more than it does of who refuses.
    if (!isThere && told.what === 'asked')
      await this.lists.note(owner, { what: 'refused', ask: told.ask }, other, BY_SERVER);
    return true;
  }
}

/** What the other is to hear of it; undefined: nothing. */
function toldOf({ type, data }: SubscriptionFact): ToldByOther | undefined {
  switch (type) {
    case 'subscription-asked':
      return { what: 'asked', ask: data.ask };
    case 'watcher-accepted':
      return { what: 'accepted', ask: data.ask };
    case 'watcher-ended':
      return data.by === 'owner' ? { what: 'refused', ask: data.ask } : undefined;
    case 'subscription-ended':
      return { what: 'dropped', ask: data.ask };
    default:
      return undefined;
  }
}
