import { Controller, Get, HttpCode, Inject, Post } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Authenticated, CurrentRequester, OwnersOnly, WhileSuspended } from '#http/authenticated';
import { TODAY, under } from '#http/client-paths';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import type { JsonObject } from '#kernel/json';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { MailPushers } from '../digests/mail-pusher.js';
import type { PusherSet } from '../facts/pusher-facts.js';
import { listPushers } from '../queries/list-pushers.js';
import { DEVICE_ID, ENABLED } from './parse-pusher.js';
import { setPusher } from './set-pusher-of.js';

/** Where notifications are pushed to: client-server API, "Push Notifications", and MSC3881. */
@WhileSuspended()
@Authenticated()
@OwnersOnly()
@RateLimited('default')
@Controller(under(TODAY, 'pushers'))
export class PushersController {
  constructor(
    private readonly commands: CommandBus,
    @Inject(VIEWS) private readonly views: Views,
    private readonly mails: MailPushers,
  ) {}

  @Get()
  async list(@CurrentRequester() { userId }: Requester): Promise<object> {
    const pushers = await this.mails.nameAddresses(userId, await listPushers(this.views, userId));
    return { pushers: pushers.map(pusherForClients) };
  }

  @Post('set')
  @HttpCode(200)
  set(@CurrentRequester() requester: Requester, @JsonBody() body: JsonObject): Promise<object> {
    return setPusher(this.commands, this.mails, requester, body);
  }
}

function pusherForClients(pusher: PusherSet): object {
  const { enabled, device_id, set_at: _, alone: _alone, behind: _behind, digest: _digest, ...said } = pusher;
  return { ...said, [ENABLED]: enabled, [DEVICE_ID]: device_id };
}
