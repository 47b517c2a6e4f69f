import { Controller, Delete, Get, Inject, Param, Put, Query, Req } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyRequest } from 'fastify';
import { Authenticated, CurrentRequester, WhileSuspended } from '#http/authenticated';
import { isOldDoor } from '#http/client-paths';
import { JsonBody } from '#http/json-body';
import type { Query as QueryOfUrl } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import type { PushAction, PushRule, PushRuleset } from '#protocol/push-rules/push-rule';
import { ChangePushRule } from '../commands/change-push-rule.js';
import { RemovePushRule } from '../commands/remove-push-rule.js';
import { SetPushRule } from '../commands/set-push-rule.js';
import { readDevicePushRules, readPushRules } from '../queries/read-push-rules.js';
import { noSuchRule } from '../rules/decide-push-rules.js';
import { readActionsV1 } from './read-actions-v1.js';
import { ActionsBody, EnabledFlag, parseKind, readRule, readRuleId, RuleBody } from './read-rule.js';

const noSuchPath = (): MatrixError => new MatrixError('M_UNRECOGNIZED', 'No such push rules', { status: 400 });

/** The paths of several rules end in a slash; the router does not tell. */
function endsInSlash({ url }: FastifyRequest): boolean {
  const query = url.indexOf('?');
  return url.at(query < 0 ? -1 : query - 1) === '/';
}

/** In 2015 one left parts of the path out. */
function checkSlash(request: FastifyRequest): void {
  if (!endsInSlash(request) && !isOldDoor(request)) throw noSuchPath();
}

function readActions(actions: PushAction[], request: FastifyRequest): PushAction[] {
  return isOldDoor(request) ? readActionsV1(actions) : actions;
}

/** The push rules of who asks (client-server API, "Push Rules: API"), also under the path they had in 2015. */
@WhileSuspended()
@Authenticated()
@RateLimited('default')
@Controller(['_matrix/client/v3/pushrules', '_matrix/client/r0/pushrules', '_matrix/client/api/v1/pushrules'])
export class PushRulesController {
  constructor(
    private readonly commands: CommandBus,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  @Get()
  async all(
    @CurrentRequester() requester: Requester,
    @Req() request: FastifyRequest,
  ): Promise<{ global: PushRuleset; device?: Readonly<Record<string, PushRuleset>> }> {
    if (!endsInSlash(request) && !isOldDoor(request)) throw new MatrixError('M_UNRECOGNIZED');
    const global = await this.#rulesOf(requester, request);
    // Today's API knows of no rules for single devices.
    return isOldDoor(request)
      ? { global, device: await readDevicePushRules(this.views, requester.userId) }
      : { global };
  }

  @Get('global')
  async global(@CurrentRequester() requester: Requester, @Req() request: FastifyRequest): Promise<PushRuleset> {
    checkSlash(request);
    return this.#rulesOf(requester, request);
  }

  @Get('global/:kind')
  async kind(
    @CurrentRequester() requester: Requester,
    @Param('kind') kind: string,
    @Req() request: FastifyRequest,
  ): Promise<readonly PushRule[]> {
    checkSlash(request);
    return (await this.#rulesOf(requester, request))[parseKind(kind)];
  }

  @Get('global/:kind/:ruleId')
  rule(
    @CurrentRequester() requester: Requester,
    @Param('kind') kind: string,
    @Param('ruleId') ruleId: string,
    @Req() request: FastifyRequest,
  ): Promise<PushRule> {
    return this.#get(requester, request, kind, ruleId);
  }

  @Get('global/:kind/:ruleId/enabled')
  async enabled(
    @CurrentRequester() requester: Requester,
    @Param('kind') kind: string,
    @Param('ruleId') ruleId: string,
    @Req() request: FastifyRequest,
  ): Promise<{ enabled: boolean }> {
    return { enabled: (await this.#get(requester, request, kind, ruleId)).enabled };
  }

  @Get('global/:kind/:ruleId/actions')
  async actions(
    @CurrentRequester() requester: Requester,
    @Param('kind') kind: string,
    @Param('ruleId') ruleId: string,
    @Req() request: FastifyRequest,
  ): Promise<{ actions: readonly PushAction[] }> {
    return { actions: (await this.#get(requester, request, kind, ruleId)).actions };
  }

  @Put('global/:kind/:ruleId')
  async set(
    @CurrentRequester() requester: Requester,
    @Param('kind') kind: string,
    @Param('ruleId') ruleId: string,
    @Query() query: QueryOfUrl,
    @JsonBody(RuleBody) body: RuleBody,
    @Req() request: FastifyRequest,
  ): Promise<object> {
    const actions = readActions(body.actions, request);
    const rule = readRule(requester, { kind, ruleId }, query, { ...body, actions });
    await this.commands.execute(new SetPushRule(requester, rule));
    return {};
  }

  @Delete('global/:kind/:ruleId')
  async remove(
    @CurrentRequester() requester: Requester,
    @Param('kind') kindText: string,
    @Param('ruleId') ruleId: string,
  ): Promise<object> {
    const kind = parseKind(kindText);
    await this.commands.execute(new RemovePushRule(requester, kind, readRuleId(requester, kind, ruleId)));
    return {};
  }

  @Put('global/:kind/:ruleId/enabled')
  async setEnabled(
    @CurrentRequester() requester: Requester,
    @Param('kind') kindText: string,
    @Param('ruleId') ruleId: string,
    @EnabledFlag() enabled: boolean,
  ): Promise<object> {
    const kind = parseKind(kindText);
    await this.commands.execute(new ChangePushRule(requester, kind, readRuleId(requester, kind, ruleId), { enabled }));
    return {};
  }

  @Put('global/:kind/:ruleId/actions')
  async setActions(
    @CurrentRequester() requester: Requester,
    @Param('kind') kindText: string,
    @Param('ruleId') ruleId: string,
    @JsonBody(ActionsBody) body: ActionsBody,
    @Req() request: FastifyRequest,
  ): Promise<object> {
    const kind = parseKind(kindText);
    const actions = readActions(body.actions, request);
    await this.commands.execute(new ChangePushRule(requester, kind, readRuleId(requester, kind, ruleId), { actions }));
    return {};
  }

  /** Another scope than `global`, a missing rule id, an attribute that rules do not have. */
  @Get('*')
  getUnknown(): never {
    throw noSuchPath();
  }

  @Put(['', '*'])
  setUnknown(): never {
    throw noSuchPath();
  }

  @Delete('*')
  removeUnknown(): never {
    throw noSuchPath();
  }

  #rulesOf({ userId }: Requester, request: FastifyRequest): Promise<PushRuleset> {
    return readPushRules(this.views, userId, isOldDoor(request));
  }

  async #get(requester: Requester, request: FastifyRequest, kindText: string, ruleIdText: string): Promise<PushRule> {
    const kind = parseKind(kindText);
    const ruleId = readRuleId(requester, kind, ruleIdText);
    const rules = (await this.#rulesOf(requester, request))[kind];
    const rule = rules.find((one) => one.rule_id === ruleId);
    if (rule === undefined) throw noSuchRule();
    return rule;
  }
}
