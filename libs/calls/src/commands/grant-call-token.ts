import { Inject, Injectable } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import type { LiveKitConfig } from '#config/livekit-config';
import type { CallTokenRequest, CallTokens } from '#federation/calls/call-tokens';
import { RateLimits } from '#http/rate-limits';
import { CLOCK, type Clock } from '#kernel/clock';
import { type RoomId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { VIEWS, type Views } from '#projections/views';
import { compileGlob } from '#protocol/glob';
import { ServerAcls } from '#rooms/queries/server-acls';
import { checkJoined } from '#rooms/reading/open-room';
import { isServerIn } from '#rooms/reading/server-standing';
import { LiveKit } from '../livekit/livekit.js';
import { liveKitIdentityOf, liveKitRoomOf } from '../livekit/livekit-names.js';
import { seatToken } from '../livekit/livekit-tokens.js';
import type { Caller } from '../livekit/sealed-seat.js';

/** A place in a call that is carried here, whoever is asked for it. */
export interface SeatRequest extends Caller {
  readonly roomId: RoomId;
  readonly slotId: string;
  /** Who they are to LiveKit. */
  readonly identity: string;
}

/**
 * Gives out tokens for the LiveKit of this server: MSC4195, "Acquiring LiveKit access tokens". Who is joined to a room may listen to its calls; users of
 * this server, and of those that the operator names, may publish as well. The room of LiveKit is made first: nobody else may make one.
 */
@Injectable()
export class GrantCallToken implements CallTokens {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName' | 'livekit'>,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly acls: ServerAcls,
    private readonly livekit: LiveKit,
    private readonly limits: RateLimits,
  ) {}

  async grantTo(origin: ServerName, userId: UserId, request: CallTokenRequest): Promise<string> {
    if (serverNameOf(userId) !== origin) throw new MatrixError('M_FORBIDDEN', `${userId} is not of ${origin}`);
    this.limits.check('call', userId);
    return this.grant({ userId }, request);
  }

  /** A token for what the request names. Throws M_FORBIDDEN, M_INVALID_PARAM where that is not the LiveKit of this server, and as `seat`. */
  async grant(caller: Caller, { url, roomId, slotId, ...member }: CallTokenRequest): Promise<string> {
    const { userId } = caller;
    await this.checkMayCall(userId, roomId);
    const { livekit } = this.config;
    if (livekit?.url !== url) throw notCarriedThere();
    return this.seat(livekit, { ...caller, roomId, slotId, identity: liveKitIdentityOf({ userId, ...member }) });
  }

  /** A token for somebody who may be in the call. Throws M_UNKNOWN with status 502 where LiveKit does not answer. */
  async seat(livekit: LiveKitConfig, { userId, deviceId, roomId, slotId, identity }: SeatRequest): Promise<string> {
    const room = liveKitRoomOf(roomId, slotId);
    await this.livekit.createRoom(livekit, room);
    const mayPublish = this.#mayPublish(livekit, serverNameOf(userId));
    return seatToken({ room, identity, mayPublish, owner: { userId, deviceId, roomId } }, livekit, this.clock.now());
  }

  /** Throws M_FORBIDDEN for who is not joined to the room, for rooms that are not here, and for users of servers that the room does not let in. */
  async checkMayCall(userId: UserId, roomId: RoomId): Promise<void> {
    await checkJoined(this.views, roomId, userId);
    const { serverName } = this.config;
    const server = serverNameOf(userId);
    if (server === serverName) return;
    // Of a room that nobody here is in any more it is not known who is there.
    const isKnown = (await isServerIn(this.views, roomId, serverName)) && (await this.acls.isLetIn(roomId, server));
    if (!isKnown) throw new MatrixError('M_FORBIDDEN', 'You are not in this room');
  }

  #mayPublish({ publishers }: LiveKitConfig, server: ServerName): boolean {
    const name = server.toLowerCase();
    return server === this.config.serverName || publishers.some((glob) => compileGlob(glob.toLowerCase())(name));
  }
}

/** Why nothing is done for a call that this server does not carry. */
export const notCarriedThere = (): MatrixError =>
  new MatrixError('M_INVALID_PARAM', 'url: calls are not carried there by this server');
