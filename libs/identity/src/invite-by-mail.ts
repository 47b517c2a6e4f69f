import { Inject, Injectable } from '@nestjs/common';
import type { Threepid } from '#accounts/threepids/threepid';
import { CONFIG, type Config } from '#config/config';
import { RateLimits } from '#http/rate-limits';
import type { RoomId, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { Mailer } from '#mail/mailer';
import { FindableAssociations } from './findable-associations.js';
import { hideAddress } from './client/hide-address.js';
import { threepidHash } from './facts/identity-facts.js';
import { LongTermKeys } from './long-term-keys.js';
import { invitationMail } from './pages/invitation-mail.js';
import { StoredInvites } from './stored-invites.js';

/** Somebody who is known by a mail address is to be invited to a room. */
export interface WantedInvite {
  readonly threepid: Threepid;
  readonly roomId: RoomId;
  readonly sender: UserId;
  /** Whether it is known that `sender` wants it. Else the mail names nobody and nothing. */
  readonly isVouchedFor: boolean;
  /** As whoever invites says: for the mail. */
  readonly senderName?: unknown;
  readonly roomName?: unknown;
  readonly roomType?: unknown;
}

/** What goes into the room's `m.room.third_party_invite`. */
export interface InviteOffer {
  readonly token: string;
  readonly public_keys: readonly { readonly public_key: string; readonly key_validity_url: string }[];
  readonly display_name: string;
}

/** Where an invitation is looked at by whom the mail is for. */
export const INVITATION_PATH = '/_matrix/identity/unstable/dev.annals.invitation';
const LONG_TERM = '/_matrix/identity/v2/pubkey/isvalid';
const EPHEMERAL = '/_matrix/identity/v2/pubkey/ephemeral/isvalid';

/** Stores invitations, and tells whom they are for by a mail: identity service API, "Invitation storage". */
@Injectable()
export class InviteByMail {
  constructor(
    private readonly invites: StoredInvites,
    private readonly findable: FindableAssociations,
    private readonly keys: LongTermKeys,
    private readonly mailer: Mailer,
    private readonly limits: RateLimits,
    @Inject(CONFIG) private readonly config: Pick<Config, 'publicUrl' | 'serverName' | 'identityRole'>,
  ) {}

  /**
   * Stores one and sends the mail, also where whoever has the address is not found by the sender: they are told as who shows that it is theirs later. Throws
   * M_THREEPID_IN_USE, with the user, where who asks may know whose the address is; M_EMAIL_SEND_ERROR where this
   * server sends no mails, M_UNRECOGNIZED for addresses of another kind, and M_LIMIT_EXCEEDED.
   */
  async invite(wanted: WantedInvite): Promise<InviteOffer> {
    const { threepid, roomId, sender } = wanted;
    if (threepid.medium !== 'email') {
      throw new MatrixError('M_UNRECOGNIZED', 'medium: people are invited by mail alone', { status: 400 });
    }
    if (!this.mailer.isConfigured) throw new MatrixError('M_EMAIL_SEND_ERROR', 'This server sends no mails');
    const known = await this.findable.find(threepid, wanted.isVouchedFor ? sender : undefined);
    if (known !== undefined) {
      throw new MatrixError('M_THREEPID_IN_USE', 'It is known whose the address is', { fields: { mxid: known } });
    }
    this.mailer.checkRoom();
    this.limits.check('mail', `mails to ${threepid.address}`);
    const { token, publicKey, privateKey } = await this.invites.store(threepidHash(threepid), { roomId, sender });
    const { serverName } = this.config;
    const query = new URLSearchParams({ token, private_key: privateKey }).toString();
    this.mailer.post(
      invitationMail(threepid.address, {
        ...(wanted.isVouchedFor ? { sender } : {}),
        senderName: wanted.senderName,
        roomName: wanted.roomName,
        isSpace: wanted.roomType === 'm.space',
        serverName,
        url: `${this.config.publicUrl}${INVITATION_PATH}?${query}`,
      }),
    );
    return {
      token,
      public_keys: [
        { public_key: this.keys.now, key_validity_url: this.#urlOf(LONG_TERM) },
        { public_key: publicKey, key_validity_url: this.#urlOf(EPHEMERAL) },
      ],
      display_name: hideAddress(threepid),
    };
  }

  /** Whether a key holds still, where a URL says that this server is asked for that; undefined where it says another. */
  async isOwnKeyValid(validityUrl: string, publicKey: string): Promise<boolean | undefined> {
    if (this.config.identityRole === undefined) return undefined;
    if (validityUrl === this.#urlOf(LONG_TERM)) return this.keys.isValid(publicKey);
    return validityUrl === this.#urlOf(EPHEMERAL) ? this.invites.isKeyValid(publicKey) : undefined;
  }

  #urlOf(path: string): string {
    return `${this.config.publicUrl}${path}`;
  }
}
