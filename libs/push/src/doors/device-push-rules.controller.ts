import { Controller, Delete, Get, Inject, Param, Put, Query } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Authenticated, CurrentRequester } from '#http/authenticated';
import { under, V1 } from '#http/client-paths';
import { JsonBody } from '#http/json-body';
import type { Query as QueryOfUrl } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import type { PushRule, PushRuleset } from '#protocol/push-rules/push-rule';
import { ChangePushRule, type PushRuleChange } from '../commands/change-push-rule.js';
import { RemovePushRule } from '../commands/remove-push-rule.js';
import { SetPushRule } from '../commands/set-push-rule.js';
import { readPushRulesFor } from '../queries/read-push-rules.js';
import { noSuchRule } from '../rules/decide-push-rules.js';
import { ActionsBody, EnabledFlag, parseKind, readRule, readRuleId, RuleBody } from './read-rule.js';

/** The names in the path of a rule. */
class RulePath {
  readonly tag!: string;
  readonly kind!: string;
  readonly ruleId!: string;
}

/** "Max length, 32 bytes" (2015). */
const MOST_TAG_BYTES = 32;

function checkTag(tag: string): string {
  if (tag !== '' && Buffer.byteLength(tag) <= MOST_TAG_BYTES) return tag;
  throw new MatrixError('M_INVALID_PARAM', 'Not a profile tag');
}

/** Rules for pushers with a profile tag: "Push Notifications HTTP API" of 2015, scope `device/<profile_tag>`. */
@Authenticated()
@Controller(under([V1], 'pushrules/device/:tag'))
export class DevicePushRulesController {
  constructor(
    private readonly commands: CommandBus,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  @Get()
  all(@CurrentRequester() requester: Requester, @Param('tag') tag: string): Promise<PushRuleset> {
    return readPushRulesFor(this.views, requester.userId, checkTag(tag));
  }

  @Get(':kind')
  async kind(
    @CurrentRequester() requester: Requester,
    @Param('tag') tag: string,
    @Param('kind') kind: string,
  ): Promise<readonly PushRule[]> {
    return (await readPushRulesFor(this.views, requester.userId, checkTag(tag)))[parseKind(kind)];
  }

  @Get(':kind/:ruleId')
  rule(@CurrentRequester() requester: Requester, @Param() path: RulePath): Promise<PushRule> {
    return this.#get(requester, path);
  }

  @Get(':kind/:ruleId/enabled')
  async enabled(@CurrentRequester() requester: Requester, @Param() path: RulePath): Promise<object> {
    return { enabled: (await this.#get(requester, path)).enabled };
  }

  @Get(':kind/:ruleId/actions')
  async actions(@CurrentRequester() requester: Requester, @Param() path: RulePath): Promise<object> {
    return { actions: (await this.#get(requester, path)).actions };
  }

  @RateLimited('default')
  @Put(':kind/:ruleId')
  async set(
    @CurrentRequester() requester: Requester,
    @Param() path: RulePath,
    @Query() query: QueryOfUrl,
    @JsonBody(RuleBody) body: RuleBody,
  ): Promise<object> {
    const rule = readRule(requester, path, query, body);
    await this.commands.execute(new SetPushRule(requester, rule, checkTag(path.tag)));
    return {};
  }

  @RateLimited('default')
  @Delete(':kind/:ruleId')
  async remove(@CurrentRequester() requester: Requester, @Param() path: RulePath): Promise<object> {
    const { tag, kind, ruleId } = readPath(requester, path);
    await this.commands.execute(new RemovePushRule(requester, kind, ruleId, tag));
    return {};
  }

  @RateLimited('default')
  @Put(':kind/:ruleId/enabled')
  setEnabled(
    @CurrentRequester() requester: Requester,
    @Param() path: RulePath,
    @EnabledFlag() enabled: boolean,
  ): Promise<object> {
    return this.#change(requester, path, { enabled });
  }

  @RateLimited('default')
  @Put(':kind/:ruleId/actions')
  setActions(
    @CurrentRequester() requester: Requester,
    @Param() path: RulePath,
    @JsonBody(ActionsBody) { actions }: ActionsBody,
  ): Promise<object> {
    return this.#change(requester, path, { actions });
  }

  async #change(requester: Requester, path: RulePath, change: PushRuleChange): Promise<object> {
    const { tag, kind, ruleId } = readPath(requester, path);
    await this.commands.execute(new ChangePushRule(requester, kind, ruleId, change, tag));
    return {};
  }

  async #get(requester: Requester, path: RulePath): Promise<PushRule> {
    const { tag, kind, ruleId } = readPath(requester, path);
    const rules = (await readPushRulesFor(this.views, requester.userId, tag))[kind];
    const rule = rules.find((one) => one.rule_id === ruleId);
    if (rule === undefined) throw noSuchRule();
    return rule;
  }
}

function readPath(requester: Requester, { tag, kind: kindText, ruleId }: RulePath) {
  const kind = parseKind(kindText);
  return { tag: checkTag(tag), kind, ruleId: readRuleId(requester, kind, ruleId) };
}
