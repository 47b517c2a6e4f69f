import { Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { CompiledRules } from './compiled-rules.js';
import { ChangePushRuleHandler } from './commands/change-push-rule.js';
import { CopyRoomRulesHandler } from './commands/copy-room-rules.js';
import { RemovePushRuleHandler } from './commands/remove-push-rule.js';
import { RemovePusherHandler } from './commands/remove-pusher.js';
import { SwitchOnThreadRulesHandler } from './commands/switch-on-thread-rules.js';
import { SetPushRuleHandler } from './commands/set-push-rule.js';
import { SetPusherHandler } from './commands/set-pusher.js';
import { DevicePushRulesController } from './doors/device-push-rules.controller.js';
import { PushRulesController } from './doors/push-rules.controller.js';
import { PushersV1Controller } from './doors/pushers-v1.controller.js';
import { PushersController } from './doors/pushers.controller.js';
import { MailPushers } from './digests/mail-pusher.js';
import { PushData } from './push-data.js';
import { PushGateways } from './gateway/push-gateways.js';
import { PushRules } from './push-rules.js';
import { Pushers } from './pushers.js';

/** Push rules and pushers. Needs EVENT_STORE, VIEWS, CLOCK, CONFIG, ACCESS_TOKENS, OWN_ADDRESSES, KeyedNames, Outgoing, TransactionAnswers and PersonalData from global modules. */
@Module({
  imports: [CqrsModule],
  controllers: [DevicePushRulesController, PushRulesController, PushersController, PushersV1Controller],
  providers: [
    PushData,
    CompiledRules,
    PushGateways,
    PushRules,
    Pushers,
    MailPushers,
    SetPusherHandler,
    RemovePusherHandler,
    SetPushRuleHandler,
    RemovePushRuleHandler,
    ChangePushRuleHandler,
    CopyRoomRulesHandler,
    SwitchOnThreadRulesHandler,
  ],
  exports: [CompiledRules, MailPushers, PushGateways, Pushers],
})
export class PushModule {}
