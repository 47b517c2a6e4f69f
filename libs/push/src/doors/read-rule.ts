import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { IsArray, IsBoolean, IsOptional, IsString } from 'class-validator';
import type { FastifyRequest } from 'fastify';
import { V1 } from '#http/client-paths';
import { checkDto, readBareBoolean, readJsonBody } from '#http/json-body';
import { type Query as QueryOfUrl, queryText } from '#http/query';
import { readUserId } from '#http/read-user-id';
import { isUserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { PUSH_RULE_KINDS, type PushAction, type PushRuleKind } from '#protocol/push-rules/push-rule';
import type { PushRuleSet } from '../facts/push-rule-facts.js';
import { parseConditions } from './parse-conditions.js';

export class RuleBody {
  @IsArray() actions!: PushAction[];
  @IsOptional() @IsArray() conditions?: unknown[];
  @IsOptional() @IsString() pattern?: string;
}

/** In 2015 the body was `true` or `false` alone: "Push Rules: API", "Enabling/Disabling rules". */
export const EnabledFlag = createParamDecorator((_: unknown, context: ExecutionContext): boolean => {
  const request = context.switchToHttp().getRequest<FastifyRequest>();
  const bare = request.url.startsWith(`/${V1}/`) ? readBareBoolean(request) : undefined;
  return bare ?? checkDto(EnabledBody, readJsonBody(request)).enabled;
});

class EnabledBody {
  @IsBoolean() enabled!: boolean;
}

export class ActionsBody {
  @IsArray() actions!: PushAction[];
}

/** What libraries (ruma) call it in paths while MSC4306 is not accepted. */
const UNSTABLE_POSTCONTENT = 'io.element.msc4306.postcontent';

/** Throws M_INVALID_PARAM. */
export function parseKind(text: string): PushRuleKind {
  if (text === UNSTABLE_POSTCONTENT) return 'postcontent';
  const kind = PUSH_RULE_KINDS.find((one) => one === text);
  if (kind === undefined) throw new MatrixError('M_INVALID_PARAM', 'No such kind of push rule');
  return kind;
}

/** A rule for a sender is called by a user id. */
export function readRuleId(requester: Requester, kind: PushRuleKind, ruleId: string): string {
  return kind === 'sender' && isUserId(ruleId) ? readUserId(requester, ruleId) : ruleId;
}

/** The rule that a client makes or changes. Throws M_INVALID_PARAM, M_BAD_JSON, M_MISSING_PARAM. */
export function readRule(
  requester: Requester,
  { kind: kindText, ruleId }: { readonly kind: string; readonly ruleId: string },
  query: QueryOfUrl,
  { actions, conditions, pattern }: RuleBody,
): PushRuleSet {
  const kind = parseKind(kindText);
  const [before, after] = [queryText(query, 'before'), queryText(query, 'after')];
  const conditional = kind === 'override' || kind === 'underride';
  const named = (text: string): string => readRuleId(requester, kind, text);
  return {
    kind,
    rule_id: named(ruleId),
    actions,
    ...(conditional ? { conditions: parseConditions(conditions ?? []) } : {}),
    ...(kind === 'content' && pattern !== undefined ? { pattern } : {}),
    // Where both are given, `before` decides.
    ...(before !== undefined ? { before: named(before) } : after !== undefined ? { after: named(after) } : {}),
  };
}
