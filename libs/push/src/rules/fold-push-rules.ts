import type { NewFact } from '#event-store/event-store';
import { type PushRuleFact, isPushRuleFactType } from '../facts/push-rule-facts.js';
import { type PushRuleChanges, evolvePushRules } from './push-rule-changes.js';

/** The changes as of a fact of the user's stream, as the log holds it. */
export function foldPushRuleFact(changes: PushRuleChanges, fact: NewFact): PushRuleChanges {
  if (!isPushRuleFactType(fact.type)) return changes;
  // Only this library writes these types: their data has the shape that PushRuleFacts gives.
  return evolvePushRules(changes, { type: fact.type, data: JSON.parse(fact.data) as unknown } as PushRuleFact);
}
