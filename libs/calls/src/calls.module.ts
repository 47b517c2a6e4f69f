import { Global, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { DELAYED_SENDS } from '#rooms/delayed-sends';
import { CALL_TOKENS } from '#federation/calls/call-tokens';
import { CallsOfMembers } from './calls-of-members.js';
import { AskForCallToken } from './commands/ask-for-call-token.js';
import { CancelDelayedEventHandler } from './commands/cancel-delayed-event.js';
import { DelegateLeave } from './commands/delegate-leave.js';
import { GrantCallToken } from './commands/grant-call-token.js';
import { RestartDelayedEventHandler } from './commands/restart-delayed-event.js';
import { ScheduleEvent } from './commands/schedule-event.js';
import { SendDelayedEventHandler } from './commands/send-delayed-event.js';
import { TradeOpenIdToken } from './commands/trade-openid-token.js';
import { DelayedEvents } from './delayed-events.js';
import { DelegatedLeaves } from './delegated-leaves.js';
import { DelayedEventsController } from './doors/delayed-events.controller.js';
import { LiveKitServiceController } from './doors/livekit-service.controller.js';
import { LiveKitController } from './doors/livekit.controller.js';
import { RtcTransportsController } from './doors/rtc-transports.controller.js';
import { TurnController } from './doors/turn.controller.js';
import { CallsData } from './calls-data.js';
import { LiveKit } from './livekit/livekit.js';
import { OpenIdUsers } from './livekit/openid-users.js';

/** What calls need of a homeserver besides events. Needs EVENT_STORE, VIEWS, CONFIG, CLOCK, LOGGER, ACCESS_TOKENS and Peers from global modules. */
@Global()
@Module({
  imports: [CqrsModule],
  controllers: [
    TurnController,
    RtcTransportsController,
    LiveKitController,
    LiveKitServiceController,
    DelayedEventsController,
  ],
  providers: [
    CallsData,
    DelayedEvents,
    ScheduleEvent,
    { provide: DELAYED_SENDS, useExisting: ScheduleEvent },
    CancelDelayedEventHandler,
    RestartDelayedEventHandler,
    SendDelayedEventHandler,
    LiveKit,
    GrantCallToken,
    { provide: CALL_TOKENS, useExisting: GrantCallToken },
    AskForCallToken,
    OpenIdUsers,
    TradeOpenIdToken,
    DelegateLeave,
    DelegatedLeaves,
    CallsOfMembers,
  ],
  exports: [CallsOfMembers, DelayedEvents, DelegatedLeaves, DELAYED_SENDS, CALL_TOKENS],
})
export class CallsModule {}
