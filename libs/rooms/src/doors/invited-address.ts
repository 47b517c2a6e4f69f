import { IsOptional, IsString } from 'class-validator';
import { MatrixError } from '#kernel/matrix-error';
import type { AskedAddress } from '../address-invitations.js';

/** Somebody who is invited by an address: client-server API, "Third-party invites", and `invite_3pid` of "Creation". */
export class InvitedAddressDto {
  @IsString()
  id_server!: string;

  @IsOptional()
  @IsString()
  id_access_token?: string;

  @IsString()
  medium!: string;

  @IsString()
  address!: string;
}

/** Clients of 2014/15 know of no tokens of identity servers: for them this server gets one. Throws M_MISSING_PARAM for those of today. */
export function askedAddress(
  { id_server: idServer, id_access_token: idAccessToken, medium, address }: InvitedAddressDto,
  isOfV1 = false,
): AskedAddress {
  if (idAccessToken !== undefined) return { idServer, medium, address, idAccessToken };
  if (!isOfV1) throw new MatrixError('M_MISSING_PARAM', 'id_access_token: required');
  return { idServer, medium, address };
}
