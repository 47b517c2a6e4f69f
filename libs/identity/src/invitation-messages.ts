import { Inject, Injectable } from '@nestjs/common';
import type { Threepid } from '#accounts/threepids/threepid';
import { CONFIG, type Config } from '#config/config';
import { RateLimits } from '#http/rate-limits';
import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { phoneReader } from '#phones/phone-numbers';
import { invitationMail, invitationText } from './pages/invitation-mail.js';
import { Messengers } from './validations.js';

/** What somebody is told who is invited. */
export interface ToldInvite {
  readonly threepid: Threepid;
  readonly sender: UserId;
  /** Whether it is known that `sender` wants it. Else a mail names nobody and nothing, and no phone gets a message. */
  readonly isVouchedFor: boolean;
  /** As whoever invites says: for a mail. */
  readonly senderName?: unknown;
  readonly roomName?: unknown;
  readonly roomType?: unknown;
}

/** Sends what was prepared, with the link that leads to the invitation. */
export type Send = (url: string) => void;

/** Any: numbers are given with the code of theirs. */
const COUNTRY = 'GB';

/** Writes to people who are known by an address or a number alone that they are invited to a room. */
@Injectable()
export class InvitationMessages {
  constructor(
    private readonly messengers: Messengers,
    private readonly limits: RateLimits,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  /**
   * Looks whether somebody may be written to, and counts it; nothing is sent yet. Throws M_EMAIL_SEND_ERROR, M_UNRECOGNIZED for what this server does not
   * write to, M_FORBIDDEN, M_DESTINATION_REJECTED for a number in a country to which nothing is sent, and M_LIMIT_EXCEEDED.
   */
  prepare(told: ToldInvite): Promise<Send> {
    return told.threepid.medium === 'email' ? this.#mail(told) : this.#text(told);
  }

  async #mail({ threepid: { address }, sender, isVouchedFor, ...said }: ToldInvite): Promise<Send> {
    const { mailer } = this.messengers;
    if (!mailer.isConfigured) throw new MatrixError('M_EMAIL_SEND_ERROR', 'This server sends no mails');
    mailer.checkRoom();
    this.limits.check('mail', `mails to ${address}`);
    const { senderName, roomName, roomType } = said;
    const text = { senderName, roomName, isSpace: roomType === 'm.space', serverName: this.config.serverName };
    return (url) => mailer.post(invitationMail(address, { ...text, ...(isVouchedFor ? { sender } : {}), url }));
  }

  /** Each costs something: so nobody sends one who is not known. */
  async #text({ threepid: { address }, sender, isVouchedFor }: ToldInvite): Promise<Send> {
    const { texter } = this.messengers;
    if (!texter.isConfigured) {
      throw new MatrixError('M_UNRECOGNIZED', 'medium: this server writes to no phones', { status: 400 });
    }
    if (!isVouchedFor) throw new MatrixError('M_FORBIDDEN', 'Nobody vouches for the sender');
    const number = (await phoneReader(COUNTRY))(`+${address}`);
    // One number is written in several ways, and is counted by one.
    if (number?.digits !== address) throw new MatrixError('M_INVALID_ADDRESS');
    if (!texter.reaches(number)) throw new MatrixError('M_DESTINATION_REJECTED');
    this.limits.checkForUser('text', sender);
    texter.checkRoom(address);
    return (url) => texter.post({ number: address, text: invitationText(sender, url) });
  }
}
