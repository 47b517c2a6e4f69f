import type { UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import type { PushRuleset } from '#protocol/push-rules/push-rule';
import { PUSH_RULES } from '../projections/push-rules.projector.js';
import { NO_CHANGES, type PushRuleChanges } from '../rules/push-rule-changes.js';
import { rulesOfUser } from '../rules/rules-of-user.js';

/** What a user changed of the default rules, as the views have it. */
async function readPushRuleChanges(views: Pick<Views, 'get'>, userId: UserId): Promise<PushRuleChanges> {
  return (await PUSH_RULES.get(views, [userId]))?.changes ?? NO_CHANGES;
}

/** The rules in force for a user, as the views have them. */
export async function readPushRules(views: Pick<Views, 'get'>, userId: UserId): Promise<PushRuleset> {
  return rulesOfUser(userId, await readPushRuleChanges(views, userId));
}
