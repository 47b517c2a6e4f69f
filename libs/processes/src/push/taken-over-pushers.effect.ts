import { Inject, Injectable } from '@nestjs/common';
import { isSaidAgain } from '#event-store/shorten-stream';
import type { RecordedFact } from '#event-store/event-store';
import type { Effect } from '#projections/effects/effect';
import { VIEWS, type Views } from '#projections/views';
import { PUSHERS_STREAM_PREFIX, type PusherSet, userIdOfPushers } from '#push/facts/pusher-facts';
import { decideTakeOver } from '#push/pushers/decide-pushers';
import { Pushers } from '#push/pushers';
import { listUsersOfPusher } from '#push/queries/list-pushers';

/**
 * Takes a pusher from other users once somebody has set it for themself: "the homeserver must remove any other pushers with the same
 * App ID and pushkey for different users", unless `append` said otherwise. What another user set after that stays.
 */
@Injectable()
export class TakenOverPushers implements Effect {
  readonly name = 'taken-over-pushers';

  constructor(
    private readonly pushers: Pushers,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  keyOf(fact: RecordedFact): string | undefined {
    if (fact.type !== 'pusher-set' || isSaidAgain(fact)) return undefined;
    return fact.stream.startsWith(PUSHERS_STREAM_PREFIX) && pusherOf(fact).alone === true ? fact.stream : undefined;
  }

  async run(fact: RecordedFact): Promise<boolean> {
    const pusher = pusherOf(fact);
    const cause = { actor: fact.metadata.actor, device: fact.metadata.device };
    let isDone = false;
    const taker = userIdOfPushers(fact.stream);
    for (const userId of await listUsersOfPusher(this.views, pusher)) {
      if (userId === taker) continue;
      const removed = await this.pushers.change(userId, cause, (known) =>
        decideTakeOver(known, pusher, { taker, userId }),
      );
      isDone ||= removed;
    }
    return isDone;
  }
}

function pusherOf({ data }: RecordedFact): PusherSet {
  return JSON.parse(data) as PusherSet; // written by the domain of push
}
