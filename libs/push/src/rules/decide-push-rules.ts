import { ACCOUNT_LIMITS, limitReached } from '#kernel/account-limits';
import type { RoomId, UserId } from '#kernel/ids';
import { isJsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { MOST_PATTERN_BYTES } from '#protocol/push-rules/push-conditions';
import type { PushAction, PushRuleKind } from '#protocol/push-rules/push-rule';
import type { PushRuleFact, PushRuleSet } from '../facts/push-rule-facts.js';
import { type PushRuleChanges, countOwnRules, defaultRuleKey, evolvePushRules, ownRules } from './push-rule-changes.js';
import { succeedingRules } from './succeeding-rules.js';
import { findRule, rulesOfUser } from './rules-of-user.js';

const MAX_ID_BYTES = 255;
const MAX_KEY_BYTES = 512;
const MAX_CONDITIONS = 50;
/** Of what one rule does, and when. */
const MAX_RULE_BYTES = 8_192;
/** `dont_notify` and `coalesce` do nothing today; older clients still send them. */
const ACTIONS: ReadonlySet<PushAction> = new Set(['notify', 'dont_notify', 'coalesce']);

/** Throws M_INVALID_PARAM for a list that holds anything but known actions and tweaks, or is too long. */
function checkActions(actions: readonly PushAction[]): void {
  checkBytes('actions', JSON.stringify(actions), MAX_RULE_BYTES);
  for (const action of actions) {
    const known = isJsonObject(action) ? typeof action['set_tweak'] === 'string' : ACTIONS.has(action);
    if (!known) throw new MatrixError('M_INVALID_PARAM', 'Unknown action');
  }
}

/** Throws M_INVALID_PARAM for more than is tried on each event of all rooms. */
function checkSize({ conditions = [], pattern }: PushRuleSet): void {
  checkBytes('pattern', pattern, MOST_PATTERN_BYTES);
  checkBytes('conditions', JSON.stringify(conditions), MAX_RULE_BYTES);
  if (conditions.length > MAX_CONDITIONS)
    throw new MatrixError('M_INVALID_PARAM', `conditions: no more than ${MAX_CONDITIONS}`);
  for (const [i, condition] of conditions.entries()) {
    checkBytes(`conditions.${i}.pattern`, condition['pattern'], MOST_PATTERN_BYTES);
    checkBytes(`conditions.${i}.key`, condition['key'], MAX_KEY_BYTES);
  }
}

function checkBytes(name: string, value: unknown, most: number): void {
  if (typeof value === 'string' && Buffer.byteLength(value) > most)
    throw new MatrixError('M_INVALID_PARAM', `${name}: no more than ${most} bytes`);
}

function checkOwnRuleId(ruleId: string): void {
  if (ruleId.startsWith('.'))
    throw new MatrixError('M_INVALID_PARAM', "Rules that begin with '.' are the server's own");
  if (ruleId === '' || /[/\\\0]/.test(ruleId) || Buffer.byteLength(ruleId) > MAX_ID_BYTES) {
    throw new MatrixError('M_INVALID_PARAM', 'Not an id for a push rule');
  }
}

/**
 * Makes or changes a rule of the user's own. Throws M_INVALID_PARAM for a bad id, action or kind and for too long a pattern or rule,
 * M_MISSING_PARAM for a content rule without a pattern, M_UNKNOWN (400) where the rule named by `before` or `after` is none of the user's own.
 * One that is to be before or after itself stays where it is.
 */
export function decideRule(changes: PushRuleChanges, set: PushRuleSet): PushRuleFact[] {
  // MSC4306: "servers MUST ensure that clients MUST NOT be able to create custom rules with this push rule kind".
  if (set.kind === 'postcontent') throw new MatrixError('M_INVALID_PARAM', 'No rules of this kind can be made');
  checkOwnRuleId(set.rule_id);
  checkActions(set.actions);
  checkSize(set);
  if (set.kind === 'content' && set.pattern === undefined)
    throw new MatrixError('M_MISSING_PARAM', 'pattern: required');
  const rules = ownRules(changes, set.kind);
  const anchor = set.before ?? set.after;
  if (anchor !== undefined && !rules.some((rule) => rule.rule_id === anchor)) {
    throw new MatrixError('M_UNKNOWN', `before/after rule not found: ${anchor}`, { status: 400 });
  }
  const isNew = !rules.some((rule) => rule.rule_id === set.rule_id);
  if (isNew && countOwnRules(changes) >= ACCOUNT_LIMITS['push-rules'].most) {
    throw limitReached('push-rules');
  }
  return [{ type: 'push-rule-set', data: anchor === set.rule_id ? withoutPlace(set) : set }];
}

function withoutPlace({ before: _before, after: _after, ...set }: PushRuleSet): PushRuleSet {
  return set;
}

/** Removes a rule of the user's own. Throws M_NOT_FOUND for any other. */
export function decideRuleRemoval(changes: PushRuleChanges, kind: PushRuleKind, ruleId: string): PushRuleFact[] {
  if (!ownRules(changes, kind).some((rule) => rule.rule_id === ruleId)) throw noSuchRule();
  return [{ type: 'push-rule-removed', data: { kind, rule_id: ruleId } }];
}

/** Switches a rule on or off, the user's own or a default one. Throws M_NOT_FOUND. */
export function decideRuleEnabled(
  userId: UserId,
  changes: PushRuleChanges,
  rule: { readonly kind: PushRuleKind; readonly rule_id: string; readonly enabled: boolean },
): PushRuleFact[] {
  const known = findRule(userId, changes, rule.kind, rule.rule_id);
  if (known === undefined) throw noSuchRule();
  return known.enabled === rule.enabled ? [] : [{ type: 'push-rule-enabled-set', data: rule }];
}

/** Changes what a rule does, the user's own or a default one. Throws M_NOT_FOUND, M_INVALID_PARAM. */
export function decideRuleActions(
  userId: UserId,
  changes: PushRuleChanges,
  rule: { readonly kind: PushRuleKind; readonly rule_id: string; readonly actions: readonly PushAction[] },
): PushRuleFact[] {
  checkActions(rule.actions);
  if (findRule(userId, changes, rule.kind, rule.rule_id) === undefined) throw noSuchRule();
  return [{ type: 'push-rule-actions-set', data: rule }];
}

/** The rules about threads that come with the first subscription, where the user never said whether they want them. */
export function decideThreadRules(userId: UserId, changes: PushRuleChanges): PushRuleFact[] {
  return rulesOfUser(userId, changes).postcontent.flatMap(({ rule_id }) => {
    const isSaid = changes.defaults[defaultRuleKey('postcontent', rule_id)]?.enabled !== undefined;
    const data = { kind: 'postcontent', rule_id, enabled: true } as const;
    return isSaid ? [] : [{ type: 'push-rule-enabled-set', data }];
  });
}

/** Makes the user's rules about a room for the one that replaces it, where that has none. Throws as `decideRule`. */
export function decideSucceedingRules(
  userId: UserId,
  changes: PushRuleChanges,
  from: RoomId,
  to: RoomId,
): PushRuleFact[] {
  const facts: PushRuleFact[] = [];
  let after = changes;
  for (const { rule, enabled } of succeedingRules(changes, from, to)) {
    const set = decideRule(after, rule);
    after = set.reduce(evolvePushRules, after);
    facts.push(...set, ...decideRuleEnabled(userId, after, { kind: rule.kind, rule_id: rule.rule_id, enabled }));
  }
  return facts;
}

/** The refusal for a rule that is not there. */
export const noSuchRule = (): MatrixError => new MatrixError('M_NOT_FOUND', 'The push rule was not found');
