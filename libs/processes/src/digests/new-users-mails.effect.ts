import { Inject, Injectable } from '@nestjs/common';
import type { AccountFact } from '#accounts/facts/account-facts';
import type { ThreepidAdded } from '#accounts/facts/threepid-facts';
import { CONFIG, type Config } from '#config/config';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import type { DeviceId } from '#kernel/ids';
import { userIdOfStream } from '#kernel/user-stream';
import type { Effect } from '#projections/effects/effect';
import { MailPushers } from '#push/digests/mail-pusher';
import { pushersStream } from '#push/facts/pusher-facts';
import { Pushers } from '#push/pushers';
import { decidePusher } from '#push/pushers/decide-pushers';

const ADDED: AccountFact['type'] = 'threepid-added';
const MADE: ReadonlySet<string> = new Set<AccountFact['type']>(['account-registered', 'guest-upgraded']);

/**
 * Has what is unread mailed to who registers with a mail address, where the operator wants that. The pusher is of no device: it stays until its user
 * wants it no more.
 */
@Injectable()
export class NewUsersMails implements Effect {
  readonly name = 'new-users-mails';

  constructor(
    private readonly pushers: Pushers,
    private readonly mails: MailPushers,
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(CONFIG) private readonly config: Pick<Config, 'digests' | 'mail'>,
  ) {}

  keyOf({ type, stream }: RecordedFact): string | undefined {
    const isWanted = this.config.digests.isForNewUsers && this.config.mail !== undefined;
    return isWanted && type === ADDED ? stream : undefined;
  }

  async run(fact: RecordedFact): Promise<boolean> {
    const { medium, address } = JSON.parse(fact.data) as ThreepidAdded; // written by accounts
    const userId = userIdOfStream(fact.stream);
    if (medium !== 'email' || address === undefined || !(await this.#isOfRegistration(fact))) return false;
    // Where they have had any, it is theirs to say.
    for await (const _ of this.store.readStream(pushersStream(userId), { limit: 1 })) return false;
    const pusher = {
      ...this.mails.nameOf(address),
      kind: 'email' as const,
      app_display_name: 'Mails of what is unread',
      device_display_name: 'Mail',
      lang: 'en',
      data: {},
      enabled: true,
      device_id: '' as DeviceId, // none, as of what application services set
    };
    return this.pushers.change(userId, { actor: userId }, (known, now) =>
      known.size > 0 ? [] : decidePusher(known, pusher, { now, alone: false, isShared: false }),
    );
  }

  /** Whether the address came in one write with the account: others are added later. */
  async #isOfRegistration({ stream, revision, metadata }: RecordedFact): Promise<boolean> {
    for await (const earlier of this.store.readStream(stream, { from: revision, backwards: true })) {
      const { at, correlation } = earlier.metadata;
      if (at !== metadata.at || correlation !== metadata.correlation) return false;
      if (MADE.has(earlier.type)) return true;
    }
    return false;
  }
}
