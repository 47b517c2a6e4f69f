import type { UserId } from '#kernel/ids';
import { defaultPushRules, rulesOf2015 } from '#protocol/push-rules/default-rules';
import type { PushRule, PushRuleKind, PushRuleset } from '#protocol/push-rules/push-rule';
import { type PushRuleChanges, defaultRuleKey, ownRules } from './push-rule-changes.js';

/** The one default rule that stands above a user's own: it silences everything. */
const MASTER = '.m.rule.master';

/** "All device-specific rules are higher priority than all global rules" (2015), and the server made none of them. */
const NO_DEFAULTS: PushRuleset = {
  override: [],
  content: [],
  postcontent: [],
  room: [],
  sender: [],
  underride: [],
};

/**
 * The rules in force for a user, most important first within each kind: the master rule, the user's own, the other defaults
 * (client-server API, "Server-default Rules"). What was predefined in 2015 alone is among them for clients of then (`isOf2015`), and once the
 * user said anything of it for everybody.
 */
export function rulesOfUser(userId: UserId, changes: PushRuleChanges, isOf2015 = false): PushRuleset {
  const defaults = changes.isOfDevice === true ? NO_DEFAULTS : defaultPushRules(userId);
  const old = changes.isOfDevice === true ? NO_DEFAULTS : rulesOf2015(userId);
  const inForce = (kind: PushRuleKind): readonly PushRule[] => {
    const isThere = ({ rule_id: id }: PushRule): boolean =>
      isOf2015 || Object.hasOwn(changes.defaults, defaultRuleKey(kind, id));
    const all = [...defaults[kind], ...(old[kind] ?? []).filter(isThere)];
    const changed = all.map((rule) => withChange(kind, rule, changes));
    const above = changed.filter((rule) => rule.rule_id === MASTER);
    const below = changed.filter((rule) => rule.rule_id !== MASTER);
    return [...above, ...ownRules(changes, kind), ...below];
  };
  return {
    override: inForce('override'),
    content: inForce('content'),
    postcontent: inForce('postcontent'),
    room: inForce('room'),
    sender: inForce('sender'),
    underride: inForce('underride'),
  };
}

function withChange(kind: PushRuleKind, rule: PushRule, changes: PushRuleChanges): PushRule {
  const change = changes.defaults[defaultRuleKey(kind, rule.rule_id)];
  return change === undefined ? rule : { ...rule, ...change };
}

/** One rule, in either API; undefined where there is none of that kind and id. */
export function findRule(
  userId: UserId,
  changes: PushRuleChanges,
  kind: PushRuleKind,
  ruleId: string,
): PushRule | undefined {
  return rulesOfUser(userId, changes, true)[kind].find((rule) => rule.rule_id === ruleId);
}
