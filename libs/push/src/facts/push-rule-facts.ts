import { randomUUID } from 'node:crypto';
import { erasableText } from '#event-store/erasable-text';
import type { Upcast } from '#event-store/fact-shapes';
import type { FactDraft } from '#event-store/seal-facts';
import type { JsonObject } from '#kernel/json';
import type { PushAction, PushRuleKind } from '#protocol/push-rules/push-rule';

/**
 * In `user-{user_id}`, beside the facts of the account: what a user changed of their push rules. `profile_tag`: of those for pushers with
 * that tag (API v1's rules of a device); without it of those for all.
 */

interface OfDevice {
  readonly profile_tag?: string;
}

/**
 * `push-rule-set`: a rule of the user's own was made or changed. `before` and `after` name the rule beside which it goes;
 * with neither, a new rule goes on top and a known one stays where it is.
 */
export interface PushRuleSet extends OfDevice {
  readonly kind: PushRuleKind;
  readonly rule_id: string;
  readonly actions: readonly PushAction[];
  readonly conditions?: readonly JsonObject[];
  readonly pattern?: string;
  readonly before?: string;
  readonly after?: string;
}

/** `push-rule-removed`: a rule of the user's own is gone. */
export interface PushRuleRemoved extends OfDevice {
  readonly kind: PushRuleKind;
  readonly rule_id: string;
}

/** `push-rule-enabled-set`: a rule, the user's own or a default one, was switched on or off. */
export interface PushRuleEnabledSet extends OfDevice {
  readonly kind: PushRuleKind;
  readonly rule_id: string;
  readonly enabled: boolean;
}

/** `push-rule-actions-set`: a rule, the user's own or a default one, does something else. */
export interface PushRuleActionsSet extends OfDevice {
  readonly kind: PushRuleKind;
  readonly rule_id: string;
  readonly actions: readonly PushAction[];
}

export interface PushRuleFacts {
  'push-rule-set': PushRuleSet;
  'push-rule-removed': PushRuleRemoved;
  'push-rule-enabled-set': PushRuleEnabledSet;
  'push-rule-actions-set': PushRuleActionsSet;
}

export type PushRuleFact = {
  [T in keyof PushRuleFacts]: { readonly type: T; readonly data: PushRuleFacts[T] };
}[keyof PushRuleFacts];

/** All that tells what somebody wants to hear of, by whatever name they gave it, goes with the account: the keys of it, and what is left. */
const ABOUT = ['rule_id', 'profile_tag', 'actions', 'conditions', 'pattern', 'before', 'after'] as const;
const PART = { keys: ABOUT, left: '"erased":true}' } as const;

export const PUSH_RULE_PARTS: Readonly<Record<PushRuleFact['type'], typeof PART>> = {
  'push-rule-set': PART,
  'push-rule-removed': PART,
  'push-rule-enabled-set': PART,
  'push-rule-actions-set': PART,
};

/** A fact as it is handed to the log. */
export function draftPushRule({ type, data }: PushRuleFact): FactDraft {
  return { id: randomUUID(), type, ...erasableText({ ...data }, ...ABOUT) };
}

const TYPES: ReadonlySet<string> = new Set<PushRuleFact['type']>([
  'push-rule-set',
  'push-rule-removed',
  'push-rule-enabled-set',
  'push-rule-actions-set',
]);

/** Whether facts of this type change somebody's push rules. */
export function isPushRuleFactType(type: string): boolean {
  return TYPES.has(type);
}

/** How old shapes of these facts become today's. */
export const PUSH_RULE_SHAPES: Readonly<Record<keyof PushRuleFacts, readonly Upcast[]>> = {
  'push-rule-set': [],
  'push-rule-removed': [],
  'push-rule-enabled-set': [],
  'push-rule-actions-set': [],
};
