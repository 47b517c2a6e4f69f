import { asJson, Collection, owning } from '#projections/collection';
import type { OwnRows, Projector } from '#projections/projector';
import type { RecordedFact } from '#event-store/event-store';
import type { UserId } from '#kernel/ids';
import type { Position } from '#kernel/position';
import { userIdOfStream } from '#kernel/user-stream';
import { isPushRuleFactType } from '../facts/push-rule-facts.js';
import { DEACTIVATED, endsPushRules, foldPushRuleFact } from '../rules/fold-push-rules.js';
import { NO_CHANGES, type PushRuleChanges } from '../rules/push-rule-changes.js';

/** What a user changed of the default rules, and the position of the last change. */
export interface PushRulesRow {
  readonly position: Position;
  readonly changes: PushRuleChanges;
}

export const PUSH_RULES = new Collection<readonly [userId: UserId], PushRulesRow>('push-rules', {
  key: ['user'],
  says: 'what differs from the default rules, and the position of the last change',
  codec: asJson(),
});

/** What each user changed of their push rules. */
export const pushRulesProjector: Projector = {
  name: 'push-rules',
  version: 2,
  ...owning(PUSH_RULES),
  handles: (type) => isPushRuleFactType(type) || type === DEACTIVATED,
  project,
};

async function project(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const key = [userIdOfStream(fact.stream)] as const;
  if (fact.type === DEACTIVATED) {
    if (endsPushRules(fact)) PUSH_RULES.delete(rows, key);
    return;
  }
  const before = await PUSH_RULES.get(rows, key);
  // The place of a new rule depends on the rules there are: a fact applied before must not be placed again.
  if (before !== undefined && fact.position <= before.position) return;
  const changes = foldPushRuleFact(before?.changes ?? NO_CHANGES, fact);
  PUSH_RULES.put(rows, key, { position: fact.position, changes });
}
