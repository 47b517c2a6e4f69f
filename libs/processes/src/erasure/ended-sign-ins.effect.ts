import { Injectable, Optional } from '@nestjs/common';
import type { AccountFact } from '#accounts/facts/account-facts';
import type { RecordedFact } from '#event-store/event-store';
import { userIdOfStream } from '#kernel/user-stream';
import { KeptSignIns } from '#oauth/sign-ins';
import type { Effect } from '#projections/effects/effect';

const DEACTIVATED: AccountFact['type'] = 'account-deactivated';

/** Lets go of where somebody was signed in, and of what they let applications do, whose account is closed. */
@Injectable()
export class EndedSignIns implements Effect {
  readonly name = 'ended-sign-ins';
  readonly fromStart = true;

  constructor(@Optional() private readonly signIns?: KeptSignIns) {}

  keyOf({ type, stream }: RecordedFact): string | undefined {
    return type === DEACTIVATED ? stream : undefined;
  }

  async run({ stream, metadata: { actor, device } }: RecordedFact): Promise<boolean> {
    return (await this.signIns?.end(userIdOfStream(stream), { actor, device })) ?? false;
  }
}
