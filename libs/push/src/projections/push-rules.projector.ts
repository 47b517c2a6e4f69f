import type { OwnRows, Projector } from '#projections/projector';
import type { RecordedFact } from '#event-store/event-store';
import type { Position } from '#kernel/position';
import { userIdOfStream } from '#kernel/user-stream';
import { isPushRuleFactType } from '../facts/push-rule-facts.js';
import { foldPushRuleFact } from '../rules/fold-push-rules.js';
import { NO_CHANGES, type PushRuleChanges } from '../rules/push-rule-changes.js';

/** `push-rules` [user]: what the user changed of the default rules, and the position of the last change. */
export interface PushRulesRow {
  readonly position: Position;
  readonly changes: PushRuleChanges;
}

/** What each user changed of their push rules. */
export const pushRulesProjector: Projector = {
  name: 'push-rules',
  version: 1,
  collections: ['push-rules'],
  handles: isPushRuleFactType,
  project,
};

async function project(fact: RecordedFact, rows: OwnRows): Promise<void> {
  const key = [userIdOfStream(fact.stream)];
  const text = await rows.get('push-rules', key);
  const before = text === undefined ? undefined : (JSON.parse(text) as PushRulesRow);
  // The place of a new rule depends on the rules there are: a fact applied before must not be placed again.
  if (before !== undefined && fact.position <= before.position) return;
  const changes = foldPushRuleFact(before?.changes ?? NO_CHANGES, fact);
  rows.put('push-rules', key, JSON.stringify({ position: fact.position, changes } satisfies PushRulesRow));
}
