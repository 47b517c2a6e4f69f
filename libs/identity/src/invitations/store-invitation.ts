import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { RateLimits } from '#http/rate-limits';
import { type RoomId, serverNameOf, type UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { FindableAssociations } from '../associations/findable-associations.js';
import { hideAddress } from '../client/hide-address.js';
import { InvitationMessages, type InviteLink, type ToldInvite } from './invitation-messages.js';
import { LongTermKeys } from '../long-term-keys.js';
import { StoredInvites } from './stored-invites.js';

/** Somebody who is known by an address or a number alone is to be invited to a room. */
export interface WantedInvite extends ToldInvite {
  readonly roomId: RoomId;
  /** The address of who asks. */
  readonly ip: string;
}

/** What goes into the room's `m.room.third_party_invite`. */
export interface InviteOffer {
  readonly token: string;
  readonly public_keys: readonly { readonly public_key: string; readonly key_validity_url: string }[];
  readonly display_name: string;
}

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
    private readonly limits: RateLimits,
    @Inject(CONFIG) private readonly config: Pick<Config, 'publicUrl' | 'identityRole'>,
  ) {}

  /**
   * Stores one with the message that is sent then (`SendInvitations`), also where whoever has the address lets the sender not find them, who is not to know of
   * it. Throws M_THREEPID_IN_USE, with the user, where who asks may know whose the address is, M_LIMIT_EXCEEDED, and as `InvitationMessages.check`.
   */
  async store(wanted: WantedInvite): Promise<InviteOffer> {
    const { threepid, roomId, sender, isVouchedFor } = wanted;
    this.#count(wanted);
    const known = await this.#findFor(wanted);
    if (known !== undefined) {
      throw new MatrixError('M_THREEPID_IN_USE', 'It is known whose the address is', { fields: { mxid: known } });
    }
    await this.messages.check(wanted);
    const sealMessage = (link: InviteLink): string => this.messages.seal(wanted, link);
    const invite = { roomId, sender, isVouchedFor, sealMessage };
    const { token, publicKey } = await this.invites.store(threepid, invite);
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

  /**
   * All users of a homeserver may ask from one address: so who is known is counted for themselves, and their server for all of them. Who is not may be anybody, also of
   * as many names as they like. Throws M_LIMIT_EXCEEDED.
   */
  #count({ sender, isVouchedFor, ip }: WantedInvite): void {
    if (!isVouchedFor) return this.limits.checkForClaimed('mail', sender, ip);
    this.limits.checkForUser('mail', `invitations by address of ${sender}`);
    this.limits.check('inviting', `by address, of ${serverNameOf(sender)}`);
  }

  #urlOf(path: string): string {
    return `${this.config.publicUrl}${path}`;
  }
}
