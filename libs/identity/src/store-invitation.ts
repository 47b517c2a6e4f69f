import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import type { RoomId, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { FindableAssociations } from './findable-associations.js';
import { hideAddress } from './client/hide-address.js';
import { threepidHash } from './facts/identity-facts.js';
import { InvitationMessages, type ToldInvite } from './invitation-messages.js';
import { LongTermKeys } from './long-term-keys.js';
import { StoredInvites } from './stored-invites.js';

/** Somebody who is known by an address or a number alone is to be invited to a room. */
export interface WantedInvite extends ToldInvite {
  readonly roomId: RoomId;
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

/** Stores invitations, and has whom they are for told by a message: identity service API, "Invitation storage". */
@Injectable()
export class StoreInvitation {
  constructor(
    private readonly invites: StoredInvites,
    private readonly findable: FindableAssociations,
    private readonly keys: LongTermKeys,
    private readonly messages: InvitationMessages,
    @Inject(CONFIG) private readonly config: Pick<Config, 'publicUrl' | 'identityRole'>,
  ) {}

  /**
   * Stores one and sends the message, also where whoever has the address lets the sender not find them, who is not to know of it. Throws
   * M_THREEPID_IN_USE, with the user, where who asks may know whose the address is, and as `InvitationMessages.prepare`.
   */
  async store(wanted: WantedInvite): Promise<InviteOffer> {
    const { threepid, roomId, sender } = wanted;
    const known = await this.#findFor(wanted);
    if (known !== undefined) {
      throw new MatrixError('M_THREEPID_IN_USE', 'It is known whose the address is', { fields: { mxid: known } });
    }
    const send = await this.messages.prepare(wanted);
    const { token, publicKey, privateKey } = await this.invites.store(threepidHash(threepid), { roomId, sender });
    const query = new URLSearchParams({ token, private_key: privateKey }).toString();
    send(this.#urlOf(`${INVITATION_PATH}?${query}`));
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

  /** Whose the address is, for who asks. Nobody known is told where look-ups in plain text are off: it would be one. */
  async #findFor({ threepid, sender, isVouchedFor }: WantedInvite): Promise<UserId | undefined> {
    if (isVouchedFor) return this.findable.find(threepid, sender);
    return this.config.identityRole?.plainLookup === true ? this.findable.find(threepid, undefined) : undefined;
  }

  #urlOf(path: string): string {
    return `${this.config.publicUrl}${path}`;
  }
}
