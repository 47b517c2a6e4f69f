import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { RateLimits } from '#http/rate-limits';
import type { RoomId, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { type OpenIdToken, OpenIdUsers } from '../livekit/openid-users.js';
import { GrantCallToken } from './grant-call-token.js';

/** A call, and who wants to be in it: by a token of their server, and perhaps by a name that they say they have. */
export interface OpenIdSeat {
  readonly openId: OpenIdToken;
  readonly claimedUserId?: string;
  readonly roomId: RoomId;
  readonly slotId: string;
  /** Who they are to LiveKit, by who they are. */
  readonly identityOf: (userId: UserId) => string;
}

/** What a client needs to connect to LiveKit. */
export interface LiveKitAccess {
  readonly url: string;
  readonly jwt: string;
}

/**
 * Gives a token for LiveKit for an OpenID token, as lk-jwt-service does, to clients that know nothing of `/rtc/livekit/get_token`. Unlike that service it
 * knows the rooms, and gives none to who is not joined.
 */
@Injectable()
export class TradeOpenIdToken {
  constructor(
    private readonly users: OpenIdUsers,
    private readonly granting: GrantCallToken,
    private readonly limits: RateLimits,
    @Inject(CONFIG) private readonly config: Pick<Config, 'livekit'>,
  ) {}

  /** Throws M_UNRECOGNIZED where there is no LiveKit, M_UNAUTHORIZED, M_FORBIDDEN, M_LIMIT_EXCEEDED, and as `GrantCallToken.seat`. */
  async trade({ openId, claimedUserId, roomId, slotId, identityOf }: OpenIdSeat): Promise<LiveKitAccess> {
    const { livekit } = this.config;
    if (livekit === undefined) throw new MatrixError('M_UNRECOGNIZED');
    const userId = await this.users.find(roomId, openId);
    if (claimedUserId !== undefined && claimedUserId !== userId) {
      throw new MatrixError('M_UNAUTHORIZED', 'The OpenID token is of somebody else');
    }
    this.limits.check('call', userId);
    await this.granting.checkMayCall(userId, roomId);
    const seat = { userId, roomId, slotId, identity: identityOf(userId) };
    return { url: livekit.url, jwt: await this.granting.seat(livekit, seat) };
  }
}
