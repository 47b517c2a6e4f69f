import { Controller, HttpCode, Post } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Flows } from '#accounts/interactive-auth/flows';
import { InteractiveAuth } from '#accounts/interactive-auth/interactive-auth';
import { Authenticated, CurrentRequester, OwnersOnly, WhileSuspended } from '#http/authenticated';
import { TODAY, under, UNSTABLE } from '#http/client-paths';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import type { JsonObject } from '#kernel/json';
import type { Requester } from '#kernel/requester';
import { AddSignatures } from '../commands/add-signatures.js';
import { SetCrossSigningKeys } from '../commands/set-cross-signing-keys.js';
import { parseCrossSigningKeys, parseSentKeys } from './parse-cross-signing.js';

/** Keys by which users sign their devices and each other, and what they signed (client-server API, "Cross-signing"). */
@WhileSuspended()
@Authenticated()
@OwnersOnly()
@RateLimited('default')
@Controller(under([...TODAY, UNSTABLE], 'keys'))
export class CrossSigningController {
  constructor(
    private readonly commands: CommandBus,
    private readonly auth: InteractiveAuth,
    private readonly flows: Flows,
  ) {}

  @Post('device_signing/upload')
  @HttpCode(200)
  async upload(@CurrentRequester() requester: Requester, @JsonBody() body: JsonObject): Promise<object> {
    const { userId } = requester;
    const keys = parseCrossSigningKeys(body, userId);
    if (requester.isServicesOwn === true) {
      // Application service API, "Cross-signing".
      await this.commands.execute(new SetCrossSigningKeys(requester, keys, true));
      return {};
    }
    // Where a session is gone on with, the keys may be those that it was begun with.
    const goesOn = Object.keys(keys).length === 0 && body['auth'] !== undefined;
    if (!goesOn && (await this.commands.execute(new SetCrossSigningKeys(requester, keys, false)))) return {};
    const name = 'POST /keys/device_signing/upload';
    const operation =
      requester.isOAuth === true ? this.flows.atAccountPage(name, userId) : await this.flows.confirmation(name, userId);
    const session = await this.auth.authorise(operation, body);
    const authorised = parseCrossSigningKeys(session.body, userId);
    await this.auth.doAndClose(session, () =>
      this.commands.execute(new SetCrossSigningKeys(requester, authorised, true)),
    );
    return {};
  }

  @Post('signatures/upload')
  @HttpCode(200)
  async sign(@CurrentRequester() requester: Requester, @JsonBody() body: JsonObject): Promise<object> {
    const failed = await this.commands.execute(new AddSignatures(requester, parseSentKeys(body)));
    const failures = new Map<string, [target: string, error: JsonObject][]>();
    for (const { userId, target, error } of failed) {
      failures.set(userId, [...(failures.get(userId) ?? []), [target, error.toBody()]]);
    }
    return { failures: Object.fromEntries([...failures].map(([userId, keys]) => [userId, Object.fromEntries(keys)])) };
  }
}
