import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Requester } from '#kernel/requester';
import type { PushRuleKind } from '#protocol/push-rules/push-rule';
import { PushRules } from '../push-rules.js';
import { decideRuleRemoval } from '../rules/decide-push-rules.js';

/** Removes a push rule of the requester's own; `profileTag`: of those for pushers with that tag. Throws M_NOT_FOUND. */
export class RemovePushRule extends Command<void> {
  constructor(
    readonly requester: Requester,
    readonly kind: PushRuleKind,
    readonly ruleId: string,
    readonly profileTag?: string,
  ) {
    super();
  }
}

@CommandHandler(RemovePushRule)
export class RemovePushRuleHandler implements ICommandHandler<RemovePushRule> {
  constructor(private readonly rules: PushRules) {}

  async execute({ requester, kind, ruleId, profileTag }: RemovePushRule): Promise<void> {
    await this.rules.change(requester, (changes) => decideRuleRemoval(changes, kind, ruleId), profileTag);
  }
}
