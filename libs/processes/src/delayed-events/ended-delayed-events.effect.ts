import { Injectable } from '@nestjs/common';
import type { AccountFact } from '#accounts/facts/account-facts';
import { DelayedEvents } from '#calls/delayed-events';
import type { RecordedFact } from '#event-store/event-store';
import { userIdOfStream } from '#kernel/user-stream';
import type { Effect } from '#projections/effects/effect';

const DEACTIVATED: AccountFact['type'] = 'account-deactivated';

/** Lets go of what somebody wanted sent later whose account is closed: nothing of it is sent any more. */
@Injectable()
export class EndedDelayedEvents implements Effect {
  readonly name = 'ended-delayed-events';

  constructor(private readonly delayed: DelayedEvents) {}

  keyOf({ type, stream }: RecordedFact): string | undefined {
    return type === DEACTIVATED ? stream : undefined;
  }

  run({ stream, metadata }: RecordedFact): Promise<boolean> {
    return this.delayed.end(userIdOfStream(stream), { actor: metadata.actor, device: metadata.device });
  }
}
