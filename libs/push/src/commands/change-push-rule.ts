import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Requester } from '#kernel/requester';
import type { PushAction, PushRuleKind } from '#protocol/push-rules/push-rule';
import type { UserId } from '#kernel/ids';
import type { PushRuleFact } from '../facts/push-rule-facts.js';
import type { PushRuleChanges } from '../rules/push-rule-changes.js';
import { PushRules } from '../push-rules.js';
import { decideRuleActions, decideRuleEnabled } from '../rules/decide-push-rules.js';

/** One of the two things that can be changed of any rule, also of a default one. */
export type PushRuleChange = { readonly enabled: boolean } | { readonly actions: readonly PushAction[] };

/** Switches a push rule on or off, or changes what it does; `profileTag`: one of those for pushers with that tag. Throws M_NOT_FOUND, M_INVALID_PARAM. */
export class ChangePushRule extends Command<void> {
  constructor(
    readonly requester: Requester,
    readonly kind: PushRuleKind,
    readonly ruleId: string,
    readonly change: PushRuleChange,
    readonly profileTag?: string,
  ) {
    super();
  }
}

@CommandHandler(ChangePushRule)
export class ChangePushRuleHandler implements ICommandHandler<ChangePushRule> {
  constructor(private readonly rules: PushRules) {}

  async execute({ requester, kind, ruleId, change, profileTag }: ChangePushRule): Promise<void> {
    const decide = (changes: PushRuleChanges, userId: UserId): PushRuleFact[] =>
      'enabled' in change
        ? decideRuleEnabled(userId, changes, { kind, rule_id: ruleId, enabled: change.enabled })
        : decideRuleActions(userId, changes, { kind, rule_id: ruleId, actions: change.actions });
    await this.rules.change(requester, decide, profileTag);
  }
}
