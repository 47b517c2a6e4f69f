import { Injectable, Logger } from '@nestjs/common';
import { KeyedQueue } from '#kernel/keyed-queue';
import { MatrixError } from '#kernel/matrix-error';
import { MailFailure } from '#mail/mailer';
import { TextFailure } from '#phones/text-messages';
import { InvitationMessages } from './invitation-messages.js';
import { StoredInvites, type UnsentInvite } from './stored-invites.js';

/** What became of it: all was handed over, there was nothing, or something is to be tried again. */
export type SentInvitations = 'sent' | 'nothing' | 'later';

/** Has people told, by the message that waits with it, of an invitation by their address or number. At least once: a mail that goes out twice is known as one. */
@Injectable()
export class SendInvitations {
  readonly #log = new Logger('identity');
  readonly #queue = new KeyedQueue<string>();

  constructor(
    private readonly invites: StoredInvites,
    private readonly messages: InvitationMessages,
  ) {}

  /** All that wait for an identifier, by its name. */
  sendTo(name: string): Promise<SentInvitations> {
    return this.#queue.run(name, () => this.#sendTo(name));
  }

  /** All. Answers whether some are to be tried again. */
  async sendDue(isStopped: () => boolean): Promise<boolean> {
    const due = new Set<string>();
    for await (const name of this.invites.listNamesUnsent()) due.add(name);
    let isLeft = false;
    for (const name of due) {
      if (isStopped()) break;
      isLeft = (await this.sendTo(name)) === 'later' || isLeft;
    }
    return isLeft;
  }

  async #sendTo(name: string): Promise<SentInvitations> {
    let said: SentInvitations = 'nothing';
    for (const invite of await this.invites.listUnsent(name)) {
      if (!(await this.#send(invite))) said = 'later';
      else {
        await this.invites.noteSent(name, invite.token);
        if (said === 'nothing') said = 'sent';
      }
    }
    return said;
  }

  /** Answers whether that was it. Neither the address nor what is sent there is logged. */
  async #send({ message, isWanted }: UnsentInvite): Promise<boolean> {
    if (!isWanted) return true;
    try {
      if (!(await this.messages.send(message))) this.#log.error('an invitation by address cannot be sent any more');
      return true;
    } catch (error) {
      const isRefused = error instanceof MatrixError || error instanceof MailFailure || error instanceof TextFailure;
      if (!isRefused) throw error;
      this.#log.warn({ reason: error.message }, 'an invitation by address was not sent');
      return !mayBeTakenLater(error);
    }
  }
}

const mayBeTakenLater = (error: MatrixError | MailFailure | TextFailure): boolean =>
  error instanceof MatrixError ? error.errcode === 'M_LIMIT_EXCEEDED' : error.isTransient;
