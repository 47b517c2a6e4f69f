import { Controller, HttpCode, Param, Post, Put } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Authenticated, CurrentRequester, OwnersOnly, WhileSuspended } from '#http/authenticated';
import { under, V1 } from '#http/client-paths';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { TransactionAnswers } from '#http/transaction-answers';
import type { JsonObject } from '#kernel/json';
import type { Requester } from '#kernel/requester';
import { MailPushers } from '../digests/mail-pusher.js';
import { checkProfileTag } from './check-profile-tag.js';
import { setPusher } from './set-pusher-of.js';

/** Pushers as clients of 2015 set them: "Push Notifications HTTP API", "Pushers". */
@WhileSuspended()
@Authenticated()
@OwnersOnly()
@RateLimited('default')
@Controller(under([V1], 'pushers'))
export class PushersV1Controller {
  constructor(
    private readonly commands: CommandBus,
    private readonly mails: MailPushers,
    private readonly answers: TransactionAnswers,
  ) {}

  @Post('set')
  @HttpCode(200)
  set(@CurrentRequester() requester: Requester, @JsonBody() body: JsonObject): Promise<object> {
    return this.#set(requester, body);
  }

  @Put('set/:txnId')
  setOnce(
    @CurrentRequester() requester: Requester,
    @Param('txnId') txnId: string,
    @JsonBody() body: JsonObject,
  ): Promise<object> {
    return this.answers.once(requester, 'pushers/set', txnId, () => this.#set(requester, body));
  }

  /** A pusher with a longer tag could have no rules of its own. */
  async #set(requester: Requester, body: JsonObject): Promise<object> {
    const tag = body['profile_tag'];
    if (typeof tag === 'string' && tag !== '') checkProfileTag(tag);
    return setPusher(this.commands, this.mails, requester, body);
  }
}
