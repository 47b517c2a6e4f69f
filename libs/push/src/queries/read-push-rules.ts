import type { UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import type { PushRuleset } from '#protocol/push-rules/push-rule';
import { PUSH_RULES } from '../projections/push-rules.projector.js';
import { changesFor, NO_CHANGES, type PushRuleChanges } from '../rules/push-rule-changes.js';
import { rulesOfUser } from '../rules/rules-of-user.js';

/** What a user changed of the default rules, as the views have it. */
async function readPushRuleChanges(views: Pick<Views, 'get'>, userId: UserId): Promise<PushRuleChanges> {
  return (await PUSH_RULES.get(views, [userId]))?.changes ?? NO_CHANGES;
}

/** The rules in force for a user, as the views have them; `isOf2015`: with those that only clients of then know. */
export async function readPushRules(views: Pick<Views, 'get'>, userId: UserId, isOf2015 = false): Promise<PushRuleset> {
  return rulesOfUser(userId, await readPushRuleChanges(views, userId), isOf2015);
}

/** The rules for pushers with a profile tag, by that, as the views have them: API v1's rules of devices. */
export async function readDevicePushRules(
  views: Pick<Views, 'get'>,
  userId: UserId,
): Promise<Readonly<Record<string, PushRuleset>>> {
  const changes = await readPushRuleChanges(views, userId);
  const tags = Object.keys(changes.devices ?? {});
  return Object.fromEntries(tags.map((tag) => [tag, rulesOfUser(userId, changesFor(changes, tag))]));
}

/** Those for one profile tag: none, where nobody made any. */
export async function readPushRulesFor(
  views: Pick<Views, 'get'>,
  userId: UserId,
  profileTag: string,
): Promise<PushRuleset> {
  return rulesOfUser(userId, changesFor(await readPushRuleChanges(views, userId), profileTag));
}
