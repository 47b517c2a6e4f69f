import { Injectable } from '@nestjs/common';
import type { AccountFact } from '#accounts/facts/account-facts';
import type { RecordedFact } from '#event-store/event-store';
import { userIdOfStream } from '#kernel/user-stream';
import type { Effect } from '#projections/effects/effect';
import { ThreadSubscriptions } from '#rooms/commands/thread-subscriptions';

const DEACTIVATED: AccountFact['type'] = 'account-deactivated';

/** Lets go of what threads somebody wanted to hear of whose account is closed. */
@Injectable()
export class EndedThreads implements Effect {
  readonly name = 'ended-threads';

  constructor(private readonly subscriptions: ThreadSubscriptions) {}

  keyOf({ type, stream }: RecordedFact): string | undefined {
    return type === DEACTIVATED ? stream : undefined;
  }

  run({ stream, metadata }: RecordedFact): Promise<boolean> {
    return this.subscriptions.end(userIdOfStream(stream), { actor: metadata.actor, device: metadata.device });
  }
}
