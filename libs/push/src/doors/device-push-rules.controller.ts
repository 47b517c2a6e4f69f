import { Controller, Delete, Get, Inject, Param, Put, Query } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Authenticated, CurrentRequester, WhileSuspended } from '#http/authenticated';
import { under, V1 } from '#http/client-paths';
import { JsonBody } from '#http/json-body';
import type { Query as QueryOfUrl } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import type { PushRule, PushRuleset } from '#protocol/push-rules/push-rule';
import { ChangePushRule, type PushRuleChange } from '../commands/change-push-rule.js';
import { RemovePushRule } from '../commands/remove-push-rule.js';
import { SetPushRule } from '../commands/set-push-rule.js';
import { readDevicePushRules, readPushRulesFor } from '../queries/read-push-rules.js';
import { noSuchRule } from '../rules/decide-push-rules.js';
import { checkProfileTag } from './check-profile-tag.js';
import { readActionsV1 } from './read-actions-v1.js';
import { ActionsBody, EnabledFlag, parseKind, readRule, readRuleId, RuleBody } from './read-rule.js';

/** The names in the path of a rule. */
class RulePath {
  readonly tag!: string;
  readonly kind!: string;
  readonly ruleId!: string;
}

/** Rules for pushers with a profile tag: "Push Notifications HTTP API" of 2015, scope `device/<profile_tag>`. */
@WhileSuspended()
@Authenticated()
@RateLimited('default')
@Controller(under([V1], 'pushrules/device'))
export class DevicePushRulesController {
  constructor(
    private readonly commands: CommandBus,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  /** "Clients can also fetch broader sets of rules by removing path components." */
  @Get()
  all(@CurrentRequester() { userId }: Requester): Promise<Readonly<Record<string, PushRuleset>>> {
    return readDevicePushRules(this.views, userId);
  }

  @Get(':tag')
  ofTag(@CurrentRequester() requester: Requester, @Param('tag') tag: string): Promise<PushRuleset> {
    return readPushRulesFor(this.views, requester.userId, checkProfileTag(tag));
  }

  @Get(':tag/:kind')
  async kind(
    @CurrentRequester() requester: Requester,
    @Param('tag') tag: string,
    @Param('kind') kind: string,
  ): Promise<readonly PushRule[]> {
    return (await readPushRulesFor(this.views, requester.userId, checkProfileTag(tag)))[parseKind(kind)];
  }

  @Get(':tag/:kind/:ruleId')
  rule(@CurrentRequester() requester: Requester, @Param() path: RulePath): Promise<PushRule> {
    return this.#get(requester, path);
  }

  @Get(':tag/:kind/:ruleId/enabled')
  async enabled(@CurrentRequester() requester: Requester, @Param() path: RulePath): Promise<object> {
    return { enabled: (await this.#get(requester, path)).enabled };
  }

  @Get(':tag/:kind/:ruleId/actions')
  async actions(@CurrentRequester() requester: Requester, @Param() path: RulePath): Promise<object> {
    return { actions: (await this.#get(requester, path)).actions };
  }

  @Put(':tag/:kind/:ruleId')
  async set(
    @CurrentRequester() requester: Requester,
    @Param() path: RulePath,
    @Query() query: QueryOfUrl,
    @JsonBody(RuleBody) body: RuleBody,
  ): Promise<object> {
    const rule = readRule(requester, path, query, { ...body, actions: readActionsV1(body.actions) });
    await this.commands.execute(new SetPushRule(requester, rule, checkProfileTag(path.tag)));
    return {};
  }

  @Delete(':tag/:kind/:ruleId')
  async remove(@CurrentRequester() requester: Requester, @Param() path: RulePath): Promise<object> {
    const { tag, kind, ruleId } = readPath(requester, path);
    await this.commands.execute(new RemovePushRule(requester, kind, ruleId, tag));
    return {};
  }

  @Put(':tag/:kind/:ruleId/enabled')
  setEnabled(
    @CurrentRequester() requester: Requester,
    @Param() path: RulePath,
    @EnabledFlag() enabled: boolean,
  ): Promise<object> {
    return this.#change(requester, path, { enabled });
  }

  @Put(':tag/:kind/:ruleId/actions')
  setActions(
    @CurrentRequester() requester: Requester,
    @Param() path: RulePath,
    @JsonBody(ActionsBody) { actions }: ActionsBody,
  ): Promise<object> {
    return this.#change(requester, path, { actions: readActionsV1(actions) });
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
  return { tag: checkProfileTag(tag), kind, ruleId: readRuleId(requester, kind, ruleId) };
}
