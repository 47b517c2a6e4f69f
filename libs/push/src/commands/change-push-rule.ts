import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Requester } from '#kernel/requester';
import type { PushAction, PushRuleKind } from '#protocol/push-rules/push-rule';
import { PushRules } from '../push-rules.js';
import { decideRuleActions, decideRuleEnabled } from '../rules/decide-push-rules.js';

/** One of the two things that can be changed of any rule, also of a default one. */
export type PushRuleChange = { readonly enabled: boolean } | { readonly actions: readonly PushAction[] };

/** Switches a push rule on or off, or changes what it does. Throws M_NOT_FOUND, M_INVALID_PARAM. */
export class ChangePushRule extends Command<void> {
  constructor(
    readonly requester: Requester,
    readonly kind: PushRuleKind,
    readonly ruleId: string,
    readonly change: PushRuleChange,
  ) {
    super();
  }
}

@CommandHandler(ChangePushRule)
export class ChangePushRuleHandler implements ICommandHandler<ChangePushRule> {
  constructor(private readonly rules: PushRules) {}

  async execute({ requester, kind, ruleId, change }: ChangePushRule): Promise<void> {
    await this.rules.change(requester, (changes, userId) =>
      'enabled' in change
        ? decideRuleEnabled(userId, changes, { kind, rule_id: ruleId, enabled: change.enabled })
        : decideRuleActions(userId, changes, { kind, rule_id: ruleId, actions: change.actions }),
    );
  }
}
