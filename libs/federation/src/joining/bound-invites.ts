import { Inject, Injectable, Logger } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { findAccount } from '#accounts/queries/find-account';
import { CONFIG, type Config } from '#config/config';
import { RateLimits } from '#http/rate-limits';
import { hideAddress } from '#identity/client/hide-address';
import { isRoomId, isUserId, type RoomId, serverNameOf, type UserId } from '#kernel/ids';
import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { mayPass } from '#kernel/may-pass';
import { mayAnswerLater, PeerRefused, PeerUnavailable } from '#kernel/peer-errors';
import { VIEWS, type Views } from '#projections/views';
import { ExchangeInvite } from '#rooms/commands/exchange-invite';
import { type ThirdPartySigned, thirdPartySignedOf } from '#rooms/commands/third-party-invite';
import { RemoteInvites } from './remote-invites.js';

/** An invitation that an identity server has for a user. */
interface BoundInvite {
  readonly roomId: RoomId;
  /** Who invited them: their server can make an invitation of it. */
  readonly sender: UserId;
  readonly signed: ThirdPartySigned;
}

const MOST_INVITES = 100;
/** So many servers are asked at once. */
const AT_ONCE = 5;

/**
 * Invitations by address of users of this server, once an identity server says that the address is theirs: server-server API, "Third-party invites". Who says so
 * need not be known here: what counts is signed for the room, which looks at it, and nobody else's word is taken.
 */
@Injectable()
export class BoundInvites {
  readonly #log = new Logger('federation');

  constructor(
    private readonly remote: RemoteInvites,
    private readonly commands: CommandBus,
    private readonly limits: RateLimits,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  /**
   * Has invitations made of what is told as `PUT /3pid/onbind`. What a room does not take is let be, and so is what is for nobody here: whoever asks is
   * told nothing of it. Throws M_INVALID_PARAM, M_LIMIT_EXCEEDED, and PeerUnavailable where a server was away: then all of it is to be told again.
   */
  async take({ mxid, invites, medium, address }: JsonObject): Promise<void> {
    if (typeof mxid !== 'string' || !isUserId(mxid))
      throw new MatrixError('M_INVALID_PARAM', 'mxid: must be a user ID');
    if (!Array.isArray(invites)) throw new MatrixError('M_INVALID_PARAM', 'invites: must be a list');
    if (invites.length > MOST_INVITES) throw new MatrixError('M_TOO_LARGE', `invites: ${MOST_INVITES} at most`);
    const userId = mxid as UserId; // looked at
    const account = await findAccount(this.views, userId);
    if (serverNameOf(userId) !== this.config.serverName || account === undefined || account.deactivated) return;
    this.limits.check('inviting-user', userId);
    const name = hideAddress({ medium: String(medium), address: String(address) });
    const due = invites.flatMap((invite) => readInvite(invite, userId));
    let away: PeerUnavailable | undefined;
    for (let at = 0; at < due.length; at += AT_ONCE) {
      const some = due.slice(at, at + AT_ONCE).map((invite) => this.#exchange(userId, invite, name));
      for (const outcome of await Promise.all(some)) away ??= outcome;
    }
    if (away !== undefined) throw away;
  }

  /** Answers why it is to be tried again; undefined where it is not. */
  async #exchange(userId: UserId, invite: BoundInvite, name: string): Promise<PeerUnavailable | undefined> {
    try {
      await this.#ask(userId, invite, name);
    } catch (error) {
      if (error instanceof PeerUnavailable) return error;
      if (mayAnswerLater(error) || mayPass(error)) {
        return new PeerUnavailable(`An invitation has to wait: ${(error as Error).message}`, { cause: error });
      }
      if (!(error instanceof MatrixError || error instanceof PeerRefused)) throw error;
      this.#log.log(`${userId} is not invited to ${invite.roomId} by their address: ${error.message}`);
    }
    return undefined;
  }

  async #ask(userId: UserId, { roomId, sender, signed }: BoundInvite, name: string): Promise<void> {
    const { serverName } = this.config;
    const server = serverNameOf(sender);
    if (server === serverName) {
      await this.commands.execute(new ExchangeInvite(serverName, roomId, userId, signed));
      return;
    }
    // Anybody may tell of invitations, and names who is asked: nobody is to be overrun by way of this server.
    this.limits.check('inviting', `invitations by address of ${server}`);
    await this.remote.exchange(server, { roomId, sender, userId, displayName: name, signed: signed.signed });
  }
}

/** None where it cannot be read, or is signed for somebody else. */
function readInvite(invite: JsonValue, userId: UserId): BoundInvite[] {
  if (!isJsonObject(invite) || !isJsonObject(invite['signed'])) return [];
  const { room_id: roomId, sender } = invite;
  if (typeof roomId !== 'string' || !isRoomId(roomId) || typeof sender !== 'string' || !isUserId(sender)) return [];
  const { mxid, token } = invite['signed'];
  if (mxid !== userId || typeof token !== 'string') return [];
  const signed = thirdPartySignedOf({ third_party_signed: invite['signed'] });
  return signed === undefined ? [] : [{ roomId, sender, signed }];
}
