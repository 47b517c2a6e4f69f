import { Controller, HttpCode, Inject, Post, Req, UseGuards } from '@nestjs/common';
import { IsOptional, IsString } from 'class-validator';
import type { FastifyRequest } from 'fastify';
import { findThreepid, isMedium, MEDIA } from '#accounts/threepids/threepid';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { isUserId, parseRoomId, serverNameOf, type UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { HOMESERVERS, type Homeservers } from '../homeservers.js';
import { StoreInvitation, type InviteOffer, type WantedInvite } from '../invitations/store-invitation.js';
import { FormOrJson } from './form-or-json.js';
import { IdentityRole } from './identity-role.js';
import { CurrentCaller, FromIdentityUser, type IdentityCaller } from './identity-user.js';

/** Whatever else a homeserver says of the room is let be: no mail shows it. */
class StoreInviteBody {
  @IsString() medium!: string;
  @IsString() address!: string;
  @IsString() room_id!: string;
  @IsString() sender!: string;
  @IsOptional() room_name?: unknown;
  @IsOptional() room_type?: unknown;
  @IsOptional() sender_display_name?: unknown;
}

/** Invitations of people who are known by an address alone: identity service API, "Invitation storage". */
@Controller('_matrix/identity')
export class StoreInviteController {
  constructor(
    private readonly invitations: StoreInvitation,
    @Inject(HOMESERVERS) private readonly homeservers: Homeservers,
  ) {}

  /** NOTSPEC: one invites in one's own name, and nobody else's. Throws M_FORBIDDEN, M_INVALID_PARAM, and as `StoreInvitation`. */
  @FromIdentityUser()
  @RateLimited('default')
  @HttpCode(200)
  @Post('v2/store-invite')
  store(
    @Req() { ip }: FastifyRequest,
    @CurrentCaller() { userId }: IdentityCaller,
    @JsonBody(StoreInviteBody) body: StoreInviteBody,
  ): Promise<InviteOffer> {
    const wanted = readWanted(body);
    if (wanted.sender !== userId) throw new MatrixError('M_FORBIDDEN', 'sender: must be who asks');
    return this.invitations.store({ ...wanted, isVouchedFor: true, ip });
  }

  /**
   * Without accounts. NOTSPEC: where the homeserver of the sender has signed the request the mail says who invites, and to what; else nothing that whoever
   * asks has written. `public_key`: the first of the keys, as there was one alone in the beginning.
   */
  @UseGuards(IdentityRole)
  @RateLimited('default')
  @HttpCode(200)
  @Post('api/v1/store-invite')
  async storeV1(
    @Req() request: FastifyRequest,
    @FormOrJson(StoreInviteBody) body: StoreInviteBody,
  ): Promise<InviteOffer & { readonly public_key: string }> {
    const wanted = readWanted(body);
    const origin = await this.homeservers.findOrigin(request);
    if (origin !== undefined && origin !== serverNameOf(wanted.sender)) {
      throw new MatrixError('M_FORBIDDEN', 'The sender is of another homeserver');
    }
    const { ip } = request;
    const offer = await this.invitations.store({ ...wanted, isVouchedFor: origin !== undefined, ip });
    return { ...offer, public_key: offer.public_keys[0]!.public_key };
  }
}

function readWanted({
  medium,
  address,
  sender,
  room_id: roomId,
  ...said
}: StoreInviteBody): Omit<WantedInvite, 'isVouchedFor' | 'ip'> {
  if (!isMedium(medium)) {
    throw new MatrixError('M_UNRECOGNIZED', `medium: ${Object.keys(MEDIA).join(' or ')}`, { status: 400 });
  }
  const threepid = findThreepid(medium, address);
  if (threepid === undefined) throw new MatrixError(MEDIA[medium].refusal);
  if (!isUserId(sender)) throw new MatrixError('M_INVALID_PARAM', 'sender: must be a user ID');
  const { sender_display_name: senderName, room_name: roomName, room_type: roomType } = said;
  return { threepid, sender: sender as UserId, roomId: parseRoomId(roomId), senderName, roomName, roomType };
}
