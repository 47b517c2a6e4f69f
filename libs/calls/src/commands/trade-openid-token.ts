import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { RateLimits } from '#http/rate-limits';
import { type RoomId, serverNameOf, type UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { type OpenIdToken, OpenIdUsers } from '../livekit/openid-users.js';
import type { Caller } from '../livekit/sealed-seat.js';
import { DelegateLeave } from './delegate-leave.js';
import { GrantCallToken } from './grant-call-token.js';

/** A call, and who wants to be in it: by a token of their server, and perhaps by a name that they say they have. */
export interface OpenIdSeat {
  readonly openId: OpenIdToken;
  readonly claimedUserId?: string;
  readonly roomId: RoomId;
  readonly slotId: string;
  /** Who they are to LiveKit, by who they are. */
  readonly identityOf: (userId: UserId) => string;
  /** The hang-up that is to be looked after. */
  readonly delayId?: string;
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
    private readonly delegating: DelegateLeave,
    private readonly limits: RateLimits,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName' | 'livekit'>,
  ) {}

  /** Throws M_UNRECOGNIZED where there is no LiveKit, M_UNAUTHORIZED, M_FORBIDDEN, M_LIMIT_EXCEEDED, as `GrantCallToken.seat`, and as `delegate`. */
  async trade(request: OpenIdSeat): Promise<LiveKitAccess> {
    const { livekit } = this.config;
    if (livekit === undefined) throw new MatrixError('M_UNRECOGNIZED');
    const { roomId, slotId, identityOf, delayId } = request;
    const caller = await this.#find(request);
    const { userId } = caller;
    await this.granting.checkMayCall(userId, roomId);
    if (delayId !== undefined) await this.#delegate(userId, request, delayId);
    const seat = { ...caller, roomId, slotId, identity: identityOf(userId) };
    return { url: livekit.url, jwt: await this.granting.seat(livekit, seat) };
  }

  /** Has a hang-up of a user of this server looked after. Throws M_BAD_JSON for others, M_UNAUTHORIZED, M_LIMIT_EXCEEDED, and as `DelegateLeave`. */
  async delegate(request: OpenIdSeat, delayId: string): Promise<void> {
    if (this.config.livekit === undefined) throw new MatrixError('M_UNRECOGNIZED');
    await this.#delegate((await this.#find(request)).userId, request, delayId);
  }

  async #find({ openId, claimedUserId, roomId }: OpenIdSeat): Promise<Caller> {
    const caller = await this.users.find(roomId, openId);
    const { userId } = caller;
    if (claimedUserId !== undefined && claimedUserId !== userId) {
      throw new MatrixError('M_UNAUTHORIZED', 'The OpenID token is of somebody else');
    }
    this.limits.check('call', userId);
    return caller;
  }

  /** By this code Element Call knows that it has to see to its hang-up itself. */
  async #delegate(userId: UserId, { roomId, slotId, identityOf }: OpenIdSeat, delayId: string): Promise<void> {
    if (serverNameOf(userId) !== this.config.serverName) {
      throw new MatrixError('M_BAD_JSON', 'delay_id: only hang-ups of users of this server are looked after');
    }
    await this.delegating.delegate({ userId, delayId, roomId, slotId, identity: identityOf(userId) });
  }
}
