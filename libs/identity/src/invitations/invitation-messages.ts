import { Inject, Injectable } from '@nestjs/common';
import type { Threepid } from '#accounts/threepids/threepid';
import { CONFIG, type Config } from '#config/config';
import { KeyedNames } from '#event-store/keyed-names';
import { RateLimits } from '#http/rate-limits';
import type { UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { shortHash } from '#kernel/short-hash';
import { nameForMail } from '#mail/names-of-strangers';
import { phoneReader } from '#phones/phone-numbers';
import { keyFor } from '#protocol/signing/key-for';
import { openText, sealText } from '#protocol/signing/sealed-text';
import { SIGNING_KEY, type SigningKey } from '#protocol/signing/signing-key';
import { invitationMail, invitationText } from '../pages/invitation-mail.js';
import { Messengers } from '../validations.js';

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

/** By what the link of a message leads to the invitation, and accepts it. */
export interface InviteLink {
  readonly token: string;
  readonly privateKey: string;
}

/** A message as it is kept until it is handed over. */
interface KeptMessage extends InviteLink {
  readonly threepid: Threepid;
  /** Absent: nobody vouches for who that is. */
  readonly sender?: UserId;
  readonly senderName?: string;
  readonly roomName?: string;
  readonly isSpace?: true;
}

/** Where an invitation is looked at by whom the message is for. */
export const INVITATION_PATH = '/_matrix/identity/unstable/dev.annals.invitation';

/** Of the key that messages are sealed by. */
const PURPOSE = 'message of an invitation by address';
/** Any: numbers are given with the code of theirs. */
const COUNTRY = 'GB';

/** Writes to people who are known by an address or a number alone that they are invited to a room. */
@Injectable()
export class InvitationMessages {
  readonly #key: Buffer;
  /** By which earlier versions sealed: that of now, which lost what waited with the one before. */
  readonly #formerKey: Buffer;

  constructor(
    private readonly messengers: Messengers,
    private readonly limits: RateLimits,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName' | 'publicUrl'>,
    names: KeyedNames,
    @Inject(SIGNING_KEY) key: SigningKey,
  ) {
    this.#key = names.sealingKeyFor(PURPOSE);
    this.#formerKey = keyFor(key.exportSeed(), PURPOSE);
  }

  /**
   * Looks whether somebody may be written to, and counts it; nothing is sent yet. Throws M_EMAIL_SEND_ERROR, M_UNRECOGNIZED for what this server does not
   * write to, M_FORBIDDEN, M_DESTINATION_REJECTED for a number in a country to which nothing is sent, and M_LIMIT_EXCEEDED.
   */
  async check(told: ToldInvite): Promise<void> {
    if (told.threepid.medium === 'email') this.#checkMail(told);
    else await this.#checkText(told);
  }

  /** What is to be sent, for this server to read and for nobody else. */
  seal({ threepid, sender, isVouchedFor, ...said }: ToldInvite, { token, privateKey }: InviteLink): string {
    const { medium, address } = threepid;
    const [senderName, roomName] = [nameForMail(said.senderName), nameForMail(said.roomName)];
    const kept: KeptMessage = {
      threepid: { medium, address },
      token,
      privateKey,
      ...(isVouchedFor ? { sender, ...(senderName && { senderName }), ...(roomName && { roomName }) } : {}),
      ...(said.roomType === 'm.space' ? { isSpace: true as const } : {}),
    };
    return sealText(this.#key, JSON.stringify(kept));
  }

  /** Hands one over. Answers false where this server cannot read it, or sends nothing there any more. Throws MailFailure, TextFailure, M_LIMIT_EXCEEDED. */
  async send(sealed: string): Promise<boolean> {
    const text = openText(this.#key, sealed) ?? openText(this.#formerKey, sealed);
    if (text === undefined) return false; // the key of names was lost since
    const { threepid, token, privateKey, ...said } = JSON.parse(text) as KeptMessage; // as `seal` wrote it
    const { mailer, texter } = this.messengers;
    const query = new URLSearchParams({ token, private_key: privateKey }).toString();
    const url = `${this.config.publicUrl}${INVITATION_PATH}?${query}`;
    if (threepid.medium === 'email') {
      if (!mailer.isConfigured) return false;
      const mail = invitationMail(threepid.address, { ...said, serverName: this.config.serverName, url });
      await mailer.send({ ...mail, id: `invitation-${shortHash(token)}` });
    } else {
      if (!texter.isConfigured || said.sender === undefined) return false;
      await texter.send({ number: threepid.address, text: invitationText(said.sender, url) });
    }
    return true;
  }

  #checkMail({ threepid: { address } }: ToldInvite): void {
    const { mailer } = this.messengers;
    if (!mailer.isConfigured) throw new MatrixError('M_EMAIL_SEND_ERROR', 'This server sends no mails');
    mailer.checkRoom(address);
  }

  /** Each costs something: so nobody sends one who is not known. */
  async #checkText({ threepid: { address }, sender, isVouchedFor }: ToldInvite): Promise<void> {
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
  }
}
