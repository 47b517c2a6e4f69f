import { Inject, Injectable } from '@nestjs/common';
import { EVENT_STORE, type EventStore, type RecordedFact } from '#event-store/event-store';
import { NotErasable } from '#event-store/event-store-errors';
import {
  ENDS_OF_MESSAGES,
  nameOfStoredInvites,
  MESSAGE_TAIL,
  readStoredInviteFact,
  type StoredInviteFact,
} from '#identity/facts/stored-invite-facts';
import { SendInvitations } from '#identity/invitations/send-invitations';
import { LOGGER, type Logger } from '#observability/logger';
import type { Effect } from '#projections/effects/effect';
import { RetryingEffect } from '#projections/effects/retrying-effect';

const STORED = 'invite-stored' satisfies StoredInviteFact['type'];

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
  ) {
    super();
  }

  keyOf({ type, stream }: RecordedFact): string | undefined {
    return type === STORED || ENDS_OF_MESSAGES.has(type) ? stream : undefined;
  }

  async run(fact: RecordedFact): Promise<boolean> {
    if (fact.type !== STORED) return this.#erase(fact);
    const sent = await this.invitations.sendTo(nameOfStoredInvites(fact.stream));
    if (sent === 'later') this.tryLater();
    return sent !== 'nothing';
  }

  protected tryAgain(isStopped: () => boolean): Promise<boolean> {
    return this.invitations.sendDue(isStopped);
  }

  protected failed(err: unknown): void {
    this.logger.warn({ context: this.name, err }, 'invitations by address are sent later');
  }

  /** What is erased already is left out, so this may end on the way. */
  async #erase(end: RecordedFact): Promise<boolean> {
    const { token } = readStoredInviteFact(end).data;
    for await (const fact of this.store.readStream(end.stream)) {
      if (fact.revision > end.revision) break;
      const { type, data } = readStoredInviteFact(fact);
      if (type !== STORED || data.token !== token) continue;
      if (typeof data.message !== 'string') return false;
      await this.store.erase(end.stream, fact.revision, MESSAGE_TAIL.left).catch((error: unknown) => {
        // Gone with all that was said of it (`OverInvitations`).
        if (!(error instanceof NotErasable)) throw error;
      });
      return true;
    }
    return false;
  }
}
