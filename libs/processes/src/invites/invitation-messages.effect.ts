import { Inject, Injectable } from '@nestjs/common';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import {
  ENDS_OF_MESSAGES,
  nameOfStoredInvites,
  MESSAGE_TAIL,
  readStoredInviteFact,
  type StoredInviteFact,
} from '#identity/facts/stored-invite-facts';
import { SendInvitations } from '#identity/invitations/send-invitations';
import { STORED_INVITES } from '#identity/projections/stored-invites.projector';
import { LOGGER, type Logger } from '#observability/logger';
import type { Effect } from '#projections/effects/effect';
import { RetryingEffect } from '#projections/effects/retrying-effect';
import { VIEWS, type Views } from '#projections/views';

const STORED = 'invite-stored' satisfies StoredInviteFact['type'];
const ENDED = 'invite-ended' satisfies StoredInviteFact['type'];

/**
 * Sends the message of an invitation by address, and then erases it from the log: with it, whose address that is. Where the mail server or the gateway is away
 * it is tried again for as long as the invitation waits, in five minutes first and at last each hour, also by the next process: no dead letter.
 */
@Injectable()
export class InvitationMessagesSent extends RetryingEffect implements Effect {
  readonly name = 'invitation-messages';

  constructor(
    private readonly invitations: SendInvitations,
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(VIEWS) private readonly views: Pick<Views, 'whenKept'>,
  ) {
    super();
  }

  keyOf({ type, stream }: RecordedFact): string | undefined {
    return type === STORED || ENDS_OF_MESSAGES.has(type) ? stream : undefined;
  }

  async run(fact: RecordedFact): Promise<boolean> {
    if (fact.type !== STORED) return this.#erase(fact);
    const sent = await this.invitations.sendTo(nameOfStoredInvites(fact.stream));
    if (sent === 'later') this.trySoon();
    return sent !== 'nothing';
  }

  protected tryAgain(isStopped: () => boolean): Promise<boolean> {
    return this.invitations.sendDue(isStopped);
  }

  protected failed(err: unknown): void {
    this.logger.warn({ context: this.name, err }, 'invitations by address are sent later');
  }

  /**
   * Erases the message of the invitation that a fact ends, or of which it says that its message is handed over. Once one is over what the stream begins with goes as
   * far as it is of such alone: it says whose the identifier was. What is erased already is left out, so this may end on the way.
   */
  async #erase(end: RecordedFact): Promise<boolean> {
    const { token } = readStoredInviteFact(end).data;
    /** Where those that are not over begin. */
    const open = new Map<string, number>();
    let first: number | undefined;
    let isDone = false;
    for await (const fact of this.store.readStream(end.stream)) {
      if (fact.revision > end.revision) break;
      first ??= fact.revision;
      const { type, data } = readStoredInviteFact(fact);
      if (type === ENDED) open.delete(data.token);
      if (type !== STORED) continue;
      open.set(data.token, fact.revision);
      if (data.token !== token || typeof data.message !== 'string') continue;
      await this.store.erase(end.stream, fact.revision, MESSAGE_TAIL.left);
      isDone = true;
    }
    if (end.type !== ENDED) return isDone;
    const from = Math.min(end.revision, ...open.values());
    if (first === undefined || first >= from) return isDone;
    // Views that have not come by it would keep the rows of what is over.
    await this.views.whenKept(end.position, [STORED_INVITES.name]);
    await this.store.truncate(end.stream, from);
    return true;
  }
}
