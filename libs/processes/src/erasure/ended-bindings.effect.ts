import { Injectable } from '@nestjs/common';
import type { AccountFact } from '#accounts/facts/account-facts';
import type { RecordedFact } from '#event-store/event-store';
import { Bindings } from '#identity/bindings';
import { userIdOfStream } from '#kernel/user-stream';
import type { Effect } from '#projections/effects/effect';

const DEACTIVATED: AccountFact['type'] = 'account-deactivated';

/**
 * Has no identity server know anybody as a user whose account has ended, whoever ended it, and also where one was away when they did: it is asked again until it
 * answers.
 */
@Injectable()
export class EndedBindings implements Effect {
  readonly name = 'ended-bindings';

  constructor(private readonly bindings: Bindings) {}

  keyOf({ type, stream }: RecordedFact): string | undefined {
    return type === DEACTIVATED ? stream : undefined;
  }

  run({ stream }: RecordedFact): Promise<boolean> {
    return this.bindings.endAll(userIdOfStream(stream));
  }
}
