import { Inject, Injectable } from '@nestjs/common';
import { BY_SERVER } from '#accounts/accounts';
import type { AccountDataSet, AccountFact } from '#accounts/facts/account-facts';
import { ONE_TO_ONE_INVITES } from '#accounts/queries/invite-rules';
import { PRESENCE_STREAM_PREFIX, userIdOfPresence } from '#ephemeral/facts/presence-facts';
import { SUBSCRIPTIONS_STREAM_PREFIX, userIdOfSubscriptions } from '#ephemeral/facts/subscription-facts';
import type { RecordedFact } from '#event-store/event-store';
import type { UserId } from '#kernel/ids';
import { USER_STREAM_PREFIX, userIdOfStream } from '#kernel/user-stream';
import type { Effect } from '#projections/effects/effect';
import { type HeldInvitation, HeldInvitations } from '#rooms/commands/held-invitations';
import { INVITE_SIGNALS, type InviteSignals } from '#rooms/invite-signals';

const DEACTIVATED: AccountFact['type'] = 'account-deactivated';

/**
 * Shows invitations again that are held, once their user's presence, or their list, or what they say of it, lets them be shown. With their account
 * it is over.
 */
@Injectable()
export class ReleaseInvitations implements Effect {
  readonly name = 'held-invitations';

  constructor(
    private readonly held: HeldInvitations,
    @Inject(INVITE_SIGNALS) private readonly signals: InviteSignals,
  ) {}

  keyOf(fact: RecordedFact): string | undefined {
    return userIdOf(fact);
  }

  async run(fact: RecordedFact): Promise<boolean> {
    const userId = userIdOf(fact);
    if (userId === undefined) return false;
    if (fact.type === DEACTIVATED) {
      const { actor, device } = fact.metadata;
      return this.held.end(userId, { actor, device });
    }
    const shown: HeldInvitation[] = [];
    for (const invitation of (await this.held.list(userId)).values()) {
      if ((await this.signals.decide(userId, invitation.sender)) === 'accept') shown.push(invitation);
    }
    return shown.length > 0 && this.held.release(userId, shown, BY_SERVER);
  }
}

/** Of whom a fact may change which invitations are shown. */
function userIdOf({ type, stream, data }: RecordedFact): UserId | undefined {
  if (stream.startsWith(PRESENCE_STREAM_PREFIX)) return userIdOfPresence(stream);
  if (stream.startsWith(SUBSCRIPTIONS_STREAM_PREFIX)) return userIdOfSubscriptions(stream);
  if (type === DEACTIVATED) return userIdOfStream(stream);
  if (type !== 'account-data-set' || !stream.startsWith(USER_STREAM_PREFIX) || !data.includes(ONE_TO_ONE_INVITES))
    return undefined;
  return (JSON.parse(data) as AccountDataSet).type === ONE_TO_ONE_INVITES ? userIdOfStream(stream) : undefined;
}
