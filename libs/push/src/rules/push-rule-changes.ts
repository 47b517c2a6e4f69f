import { PUSH_RULE_KINDS, type PushAction, type PushRule, type PushRuleKind } from '#protocol/push-rules/push-rule';
import type { PushRuleFact, PushRuleSet } from '../facts/push-rule-facts.js';

/** What a user changed of a default rule. */
export interface DefaultRuleChange {
  readonly enabled?: boolean;
  readonly actions?: readonly PushAction[];
}

/** All that distinguishes a user's rules from the defaults. Own rules are in order of importance. Plain JSON. */
export interface PushRuleChanges {
  readonly own: Readonly<Partial<Record<PushRuleKind, readonly PushRule[]>>>;
  /** kind + '/' + rule id -> what was changed. */
  readonly defaults: Readonly<Record<string, DefaultRuleChange>>;
  /** The rules for pushers with a profile tag, by that. There are no defaults among them. */
  readonly devices?: Readonly<Record<string, PushRuleChanges['own']>>;
  /** These are of the rules for one profile tag. */
  readonly isOfDevice?: true;
}

export const NO_CHANGES: PushRuleChanges = Object.freeze({ own: Object.freeze({}), defaults: Object.freeze({}) });

/** Where the changes of a default rule are kept. */
export const defaultRuleKey = (kind: PushRuleKind, ruleId: string): string => `${kind}/${ruleId}`;

/** The user's own rules of a kind, most important first. */
export function ownRules(changes: PushRuleChanges, kind: PushRuleKind): readonly PushRule[] {
  return changes.own[kind] ?? [];
}

/** How many rules a user has added to the defaults. */
export function countOwnRules(changes: PushRuleChanges): number {
  return PUSH_RULE_KINDS.reduce((count, kind) => count + ownRules(changes, kind).length, 0);
}

/** The part of the changes that is of pushers with a profile tag; all of them where there is none. */
export function changesFor(changes: PushRuleChanges, profileTag: string | undefined): PushRuleChanges {
  if (profileTag === undefined) return changes;
  const { devices = {} } = changes;
  const own = Object.hasOwn(devices, profileTag) ? devices[profileTag]! : {};
  return { own, defaults: NO_CHANGES.defaults, isOfDevice: true };
}

/** The changes after one more. */
export function evolvePushRules(changes: PushRuleChanges, fact: PushRuleFact): PushRuleChanges {
  const { profile_tag: tag } = fact.data;
  if (tag === undefined) return evolveRules(changes, fact);
  const { own } = evolveRules(changesFor(changes, tag), fact);
  const others = Object.entries(changes.devices ?? {}).filter(([other]) => other !== tag);
  const isEmpty = PUSH_RULE_KINDS.every((kind) => (own[kind] ?? []).length === 0);
  return { ...changes, devices: Object.fromEntries(isEmpty ? others : [...others, [tag, own]]) };
}

function evolveRules(changes: PushRuleChanges, fact: PushRuleFact): PushRuleChanges {
  switch (fact.type) {
    case 'push-rule-set':
      return withOwn(changes, fact.data.kind, placed(ownRules(changes, fact.data.kind), fact.data));
    case 'push-rule-removed':
      return withOwn(
        changes,
        fact.data.kind,
        ownRules(changes, fact.data.kind).filter((rule) => rule.rule_id !== fact.data.rule_id),
      );
    case 'push-rule-enabled-set':
      return patched(changes, fact.data.kind, fact.data.rule_id, { enabled: fact.data.enabled });
    case 'push-rule-actions-set':
      return patched(changes, fact.data.kind, fact.data.rule_id, { actions: fact.data.actions });
    default:
      return changes;
  }
}

function withOwn(changes: PushRuleChanges, kind: PushRuleKind, rules: readonly PushRule[]): PushRuleChanges {
  return { ...changes, own: { ...changes.own, [kind]: rules } };
}

function placed(rules: readonly PushRule[], set: PushRuleSet): PushRule[] {
  const at = rules.findIndex((rule) => rule.rule_id === set.rule_id);
  const rule: PushRule = {
    rule_id: set.rule_id,
    default: false,
    enabled: rules[at]?.enabled ?? true,
    actions: set.actions,
    ...(set.conditions === undefined ? {} : { conditions: set.conditions }),
    ...(set.pattern === undefined ? {} : { pattern: set.pattern }),
  };
  const anchor = set.before ?? set.after;
  if (anchor === undefined && at >= 0) return rules.with(at, rule);
  const others = rules.filter((other) => other.rule_id !== set.rule_id);
  const found = others.findIndex((other) => other.rule_id === anchor);
  // "before": just above the rule named; "after": just below it.
  const place = found < 0 ? 0 : set.before === undefined ? found + 1 : found;
  return others.toSpliced(place, 0, rule);
}

function patched(
  changes: PushRuleChanges,
  kind: PushRuleKind,
  ruleId: string,
  change: DefaultRuleChange,
): PushRuleChanges {
  const rules = ownRules(changes, kind);
  const at = rules.findIndex((rule) => rule.rule_id === ruleId);
  if (at >= 0) return withOwn(changes, kind, rules.with(at, { ...rules[at]!, ...change }));
  const key = defaultRuleKey(kind, ruleId);
  return { ...changes, defaults: { ...changes.defaults, [key]: { ...changes.defaults[key], ...change } } };
}
