import {
  Controller,
  createParamDecorator,
  Delete,
  type ExecutionContext,
  Get,
  Inject,
  Param,
  Put,
  Query,
  Req,
} from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyRequest } from 'fastify';
import { IsArray, IsBoolean, IsOptional, IsString } from 'class-validator';
import { Authenticated, CurrentRequester } from '#http/authenticated';
import { V1 } from '#http/client-paths';
import { checkDto, JsonBody, readBareBoolean, readJsonBody } from '#http/json-body';
import { type Query as QueryOfUrl, queryText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { readUserId } from '#http/read-user-id';
import { isUserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import {
  PUSH_RULE_KINDS,
  type PushAction,
  type PushRule,
  type PushRuleKind,
  type PushRuleset,
} from '#protocol/push-rules/push-rule';
import { ChangePushRule } from '../commands/change-push-rule.js';
import { RemovePushRule } from '../commands/remove-push-rule.js';
import { SetPushRule } from '../commands/set-push-rule.js';
import { readPushRules } from '../queries/read-push-rules.js';
import { noSuchRule } from '../rules/decide-push-rules.js';
import { parseConditions } from './parse-conditions.js';

class RuleBody {
  @IsArray() actions!: PushAction[];
  @IsOptional() @IsArray() conditions?: unknown[];
  @IsOptional() @IsString() pattern?: string;
}

/** In 2015 the body was `true` or `false` alone: "Push Rules: API", "Enabling/Disabling rules". */
const EnabledFlag = createParamDecorator((_: unknown, context: ExecutionContext): boolean => {
  const request = context.switchToHttp().getRequest<FastifyRequest>();
  const bare = request.url.startsWith(`/${V1}/`) ? readBareBoolean(request) : undefined;
  return bare ?? checkDto(EnabledBody, readJsonBody(request)).enabled;
});

class EnabledBody {
  @IsBoolean() enabled!: boolean;
}

class ActionsBody {
  @IsArray() actions!: PushAction[];
}

/** What libraries (ruma) call it in paths while MSC4306 is not accepted. */
const UNSTABLE_POSTCONTENT = 'io.element.msc4306.postcontent';

function parseKind(text: string): PushRuleKind {
  if (text === UNSTABLE_POSTCONTENT) return 'postcontent';
  const kind = PUSH_RULE_KINDS.find((one) => one === text);
  if (kind === undefined) throw new MatrixError('M_INVALID_PARAM', 'No such kind of push rule');
  return kind;
}

/** A rule for a sender is called by a user id. */
function readRuleId(requester: Requester, kind: PushRuleKind, ruleId: string): string {
  return kind === 'sender' && isUserId(ruleId) ? readUserId(requester, ruleId) : ruleId;
}

const noSuchPath = (): MatrixError => new MatrixError('M_UNRECOGNIZED', 'No such push rules', { status: 400 });

/** The paths of several rules end in a slash; the router does not tell. */
function endsInSlash({ url }: FastifyRequest): boolean {
  const query = url.indexOf('?');
  return url.at(query < 0 ? -1 : query - 1) === '/';
}

function checkSlash(request: FastifyRequest): void {
  if (!endsInSlash(request)) throw noSuchPath();
}

/** The push rules of who asks (client-server API, "Push Rules: API"), also under the path they had in 2015. */
@Authenticated()
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
  ): Promise<{ global: PushRuleset }> {
    if (!endsInSlash(request)) throw new MatrixError('M_UNRECOGNIZED');
    return { global: await readPushRules(this.views, requester.userId) };
  }

  @Get('global')
  async global(@CurrentRequester() requester: Requester, @Req() request: FastifyRequest): Promise<PushRuleset> {
    checkSlash(request);
    return readPushRules(this.views, requester.userId);
  }

  @Get('global/:kind')
  async kind(
    @CurrentRequester() requester: Requester,
    @Param('kind') kind: string,
    @Req() request: FastifyRequest,
  ): Promise<readonly PushRule[]> {
    checkSlash(request);
    return (await readPushRules(this.views, requester.userId))[parseKind(kind)];
  }

  @Get('global/:kind/:ruleId')
  rule(
    @CurrentRequester() requester: Requester,
    @Param('kind') kind: string,
    @Param('ruleId') ruleId: string,
  ): Promise<PushRule> {
    return this.#get(requester, kind, ruleId);
  }

  @Get('global/:kind/:ruleId/enabled')
  async enabled(
    @CurrentRequester() requester: Requester,
    @Param('kind') kind: string,
    @Param('ruleId') ruleId: string,
  ): Promise<{ enabled: boolean }> {
    return { enabled: (await this.#get(requester, kind, ruleId)).enabled };
  }

  @Get('global/:kind/:ruleId/actions')
  async actions(
    @CurrentRequester() requester: Requester,
    @Param('kind') kind: string,
    @Param('ruleId') ruleId: string,
  ): Promise<{ actions: readonly PushAction[] }> {
    return { actions: (await this.#get(requester, kind, ruleId)).actions };
  }

  @RateLimited('default')
  @Put('global/:kind/:ruleId')
  async set(
    @CurrentRequester() requester: Requester,
    @Param('kind') kindText: string,
    @Param('ruleId') ruleId: string,
    @Query() query: QueryOfUrl,
    @JsonBody(RuleBody) { actions, conditions, pattern }: RuleBody,
  ): Promise<object> {
    const kind = parseKind(kindText);
    const [before, after] = [queryText(query, 'before'), queryText(query, 'after')];
    const conditional = kind === 'override' || kind === 'underride';
    const named = (text: string): string => readRuleId(requester, kind, text);
    const rule = {
      kind,
      rule_id: named(ruleId),
      actions,
      ...(conditional ? { conditions: parseConditions(conditions ?? []) } : {}),
      ...(kind === 'content' && pattern !== undefined ? { pattern } : {}),
      // Where both are given, `before` decides.
      ...(before !== undefined ? { before: named(before) } : after !== undefined ? { after: named(after) } : {}),
    };
    await this.commands.execute(new SetPushRule(requester, rule));
    return {};
  }

  @RateLimited('default')
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

  @RateLimited('default')
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

  @RateLimited('default')
  @Put('global/:kind/:ruleId/actions')
  async setActions(
    @CurrentRequester() requester: Requester,
    @Param('kind') kindText: string,
    @Param('ruleId') ruleId: string,
    @JsonBody(ActionsBody) { actions }: ActionsBody,
  ): Promise<object> {
    const kind = parseKind(kindText);
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

  async #get(requester: Requester, kindText: string, ruleIdText: string): Promise<PushRule> {
    const kind = parseKind(kindText);
    const ruleId = readRuleId(requester, kind, ruleIdText);
    const rules = (await readPushRules(this.views, requester.userId))[kind];
    const rule = rules.find((one) => one.rule_id === ruleId);
    if (rule === undefined) throw noSuchRule();
    return rule;
  }
}
