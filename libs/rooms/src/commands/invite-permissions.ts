import { Inject, Injectable, Optional } from '@nestjs/common';
import { readInviteRules } from '#accounts/queries/invite-rules';
import { USERS_ON_DEMAND, type UsersOnDemand } from '#accounts/users-on-demand';
import { CONFIG, type Config } from '#config/config';
import { isUserId, type RoomId, serverNameOf, type UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { VIEWS, type Views } from '#projections/views';
import type { RoomEvent } from '#protocol/room-event';
import { INVITE_SIGNALS, type InviteSignals } from '../invite-signals.js';
import { HeldInvitations } from './held-invitations.js';

/** Who of this server may be invited, and by whom. */
@Injectable()
export class InvitePermissions {
  constructor(
    @Inject(VIEWS) private readonly views: Pick<Views, 'getMany'>,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName' | 'notices'>,
    /** Who is invited and has no account may get one for that. */
    @Optional() @Inject(USERS_ON_DEMAND) readonly demand?: UsersOnDemand,
    @Optional() @Inject(INVITE_SIGNALS) private readonly signals?: InviteSignals,
    @Optional() private readonly held?: HeldInvitations,
  ) {}

  /**
   * `content`: of the member event that invites them, which may be sent but for this: who may not send it learns nothing of them. Answers whether it
   * is to be held (`hold`) before it is sent. Throws M_INVITE_BLOCKED where they do not want to be invited by the sender: client-server
   * API, "Invite permission"; into a one-to-one chat also where their presence says so, or no more is held of them. Of users of other servers these say it. The
   * server itself may tell its users something whatever they want.
   */
  async check(sender: UserId, target: UserId, content: JsonObject): Promise<boolean> {
    const { serverName, notices } = this.config;
    if (serverNameOf(target) !== serverName || sender === notices?.userId || sender === target) return false;
    const rules = await readInviteRules(this.views, target);
    const isDirect = content['is_direct'] === true;
    const signal = isDirect ? ((await this.signals?.decide(target, sender)) ?? 'accept') : 'accept';
    if (rules?.ruleFor(sender) === 'block' || signal === 'refuse') throw new MatrixError('M_INVITE_BLOCKED');
    if (signal !== 'hold') return false;
    if ((await this.held?.isFull(target)) === true) throw new MatrixError('M_INVITE_BLOCKED');
    return true;
  }

  /**
   * As `check` and `hold`, of an event of another server that a room which is here is about to take: nobody was asked whether it may be sent, and that the
   * room has it nobody can help. So what presence has refused is held, too, however many are. (What rules refuse nobody is shown anyhow.)
   */
  async hide({ type, sender, stateKey, content, roomId }: RoomEvent): Promise<void> {
    const isInvite = type === 'm.room.member' && content['membership'] === 'invite' && content['is_direct'] === true;
    if (!isInvite || stateKey === undefined || !isUserId(stateKey)) return;
    const { serverName } = this.config;
    if (serverNameOf(stateKey) !== serverName || serverNameOf(sender) === serverName) return;
    if (((await this.signals?.decide(stateKey, sender)) ?? 'accept') === 'accept') return;
    await this.#hold(roomId, sender, stateKey, true);
  }

  /**
   * What the sender is about to send is not shown to the target, once this settles. What `check` answered that for. Throws M_INVITE_BLOCKED
   * where no more are held of the target by now.
   */
  hold(roomId: RoomId, sender: UserId, target: UserId): Promise<void> {
    return this.#hold(roomId, sender, target, false);
  }

  async #hold(roomId: RoomId, sender: UserId, target: UserId, isTaken: boolean): Promise<void> {
    const cause = { actor: sender };
    await this.held?.hold(target, roomId, sender, cause, isTaken);
    // What changed between the two found nothing held that it could show.
    if ((await this.signals?.decide(target, sender)) === 'accept')
      await this.held?.release(target, [{ room_id: roomId, sender }], cause);
  }
}
