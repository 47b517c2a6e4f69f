import type { SnapshotCodec } from '#event-store/stream-snapshot';
import type { NewFact } from '#event-store/event-store';
import { type PushRuleFact, isPushRuleFactType } from '../facts/push-rule-facts.js';
import { type PushRuleChanges, evolvePushRules, NO_CHANGES } from './push-rule-changes.js';

/** The end of an account, as that domain has it. */
export const DEACTIVATED = 'account-deactivated';

/** Whether with an account goes what was its: somebody asked for that. */
export function endsPushRules({ type, data }: Pick<NewFact, 'type' | 'data'>): boolean {
  return type === DEACTIVATED && (JSON.parse(data) as { readonly erase: boolean }).erase;
}

/** The changes as of a fact of the user's stream, as the log holds it. */
export function foldPushRuleFact(changes: PushRuleChanges, fact: Pick<NewFact, 'type' | 'data'>): PushRuleChanges {
  if (endsPushRules(fact)) return NO_CHANGES;
  if (!isPushRuleFactType(fact.type)) return changes;
  // Only this library writes these types: their data has the shape that PushRuleFacts gives, unless it was erased with its account.
  const read = { type: fact.type, data: JSON.parse(fact.data) as unknown } as PushRuleFact;
  return read.data.rule_id === undefined ? changes : evolvePushRules(changes, read);
}

/** How the fold is kept outside of the log. To be numbered anew when PushRuleChanges or a fold of it changes. */
export const pushRuleSnapshots: SnapshotCodec<PushRuleChanges> = {
  version: 3,
  format: (changes) => changes,
  restore: (kept) => kept as PushRuleChanges, // as `format` had it, which is plain JSON
};
