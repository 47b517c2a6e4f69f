import { Controller, Get, Inject, Param } from '@nestjs/common';
import { findAccount } from '#accounts/queries/find-account';
import { AdminsOnly, CurrentRequester } from '#http/authenticated';
import { RateLimited } from '#http/rate-limited';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { MailPushers } from '#push/digests/mail-pusher';
import type { PusherSet } from '#push/facts/pusher-facts';
import { listPushers } from '#push/queries/list-pushers';
import { readLocalUser } from './read-local-user.js';

/** Where a user's notifications go, for administrators. Not of the specification, but what Matrix tools use. */
@Controller('_synapse/admin/v1/users/:userId/pushers')
@AdminsOnly()
@RateLimited('default')
export class UserPushersController {
  constructor(
    @Inject(VIEWS) private readonly views: Views,
    private readonly mails: MailPushers,
  ) {}

  @Get()
  async list(@CurrentRequester() requester: Requester, @Param('userId') user: string): Promise<object> {
    const userId = readLocalUser(requester, user);
    if ((await findAccount(this.views, userId)) === undefined) throw new MatrixError('M_NOT_FOUND', 'No such user');
    const pushers = await this.mails.nameAddresses(userId, await listPushers(this.views, userId));
    return { pushers: pushers.map(toldOf), total: pushers.length };
  }
}

function toldOf(pusher: PusherSet): object {
  const { app_id, pushkey, kind, app_display_name, device_display_name, lang, profile_tag, data } = pusher;
  return { app_id, pushkey, kind, app_display_name, device_display_name, lang, profile_tag: profile_tag ?? '', data };
}
