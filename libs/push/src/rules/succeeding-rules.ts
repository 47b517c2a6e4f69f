import type { RoomId } from '#kernel/ids';
import type { PushRule, PushRuleKind } from '#protocol/push-rules/push-rule';
import type { PushRuleSet } from '../facts/push-rule-facts.js';
import { type PushRuleChanges, ownRules } from './push-rule-changes.js';

/** A rule of the old room, made for the new one. */
export interface SucceedingRule {
  readonly rule: PushRuleSet;
  readonly enabled: boolean;
}

/**
 * The user's own rules about the old room (of the kind `room`, or overrides that bear its id, by which clients mute rooms),
 * made for the new one, where that has none yet.
 */
export function succeedingRules(changes: PushRuleChanges, from: RoomId, to: RoomId): SucceedingRule[] {
  const kinds: readonly PushRuleKind[] = ['override', 'room'];
  return kinds.flatMap((kind) => {
    const rules = ownRules(changes, kind);
    const old = rules.find((rule) => rule.rule_id === from);
    if (old === undefined || rules.some((rule) => rule.rule_id === to)) return [];
    return [{ rule: ruleFor(kind, old, from, to), enabled: old.enabled }];
  });
}

function ruleFor(kind: PushRuleKind, old: PushRule, from: RoomId, to: RoomId): PushRuleSet {
  const conditions = old.conditions?.map((condition) =>
    condition['key'] === 'room_id' && condition['pattern'] === from ? { ...condition, pattern: to } : condition,
  );
  return { kind, rule_id: to, actions: old.actions, ...(conditions === undefined ? {} : { conditions }), after: from };
}
