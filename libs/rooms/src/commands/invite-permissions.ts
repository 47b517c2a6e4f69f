import { Inject, Injectable, Optional } from '@nestjs/common';
import { readInviteRules } from '#accounts/queries/invite-rules';
import { USERS_ON_DEMAND, type UsersOnDemand } from '#accounts/users-on-demand';
import { CONFIG, type Config } from '#config/config';
import { serverNameOf, type UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { VIEWS, type Views } from '#projections/views';
import { INVITE_SIGNALS, type InviteSignals } from '../invite-signals.js';

/** Who of this server may be invited, and by whom. */
@Injectable()
export class InvitePermissions {
  constructor(
    @Inject(VIEWS) private readonly views: Pick<Views, 'getMany'>,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName' | 'notices'>,
    /** Who is invited and has no account may get one for that. */
    @Optional() @Inject(USERS_ON_DEMAND) readonly demand?: UsersOnDemand,
    @Optional() @Inject(INVITE_SIGNALS) private readonly signals?: InviteSignals,
  ) {}

  /**
   * `content`: of the member event that invites them. Throws M_INVITE_BLOCKED where they do not want to be invited by the sender: client-server
   * API, "Invite permission"; into a one-to-one chat also where their presence says so. Of users of other servers these say it. The server itself
   * may tell its users something whatever they want.
   */
  async check(sender: UserId, target: UserId, content: JsonObject): Promise<void> {
    const { serverName, notices } = this.config;
    if (serverNameOf(target) !== serverName || sender === notices?.userId || sender === target) return;
    const rules = await readInviteRules(this.views, target);
    const isDirect = content['is_direct'] === true;
    const isBlocked =
      rules?.ruleFor(sender) === 'block' || (isDirect && (await this.signals?.refuses(target, sender)) === true);
    if (isBlocked) throw new MatrixError('M_INVITE_BLOCKED');
  }
}
