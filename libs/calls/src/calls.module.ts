import { Global, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { DELAYED_SENDS } from '#rooms/delayed-sends';
import { CancelDelayedEventHandler } from './commands/cancel-delayed-event.js';
import { RestartDelayedEventHandler } from './commands/restart-delayed-event.js';
import { ScheduleEvent } from './commands/schedule-event.js';
import { SendDelayedEventHandler } from './commands/send-delayed-event.js';
import { DelayedEvents } from './delayed-events.js';
import { DelayedEventsController } from './doors/delayed-events.controller.js';
import { RtcTransportsController } from './doors/rtc-transports.controller.js';
import { TurnController } from './doors/turn.controller.js';

/** What calls need of a homeserver besides events. Needs EVENT_STORE, VIEWS, CONFIG, CLOCK and ACCESS_TOKENS from global modules. */
@Global()
@Module({
  imports: [CqrsModule],
  controllers: [TurnController, RtcTransportsController, DelayedEventsController],
  providers: [
    DelayedEvents,
    ScheduleEvent,
    { provide: DELAYED_SENDS, useExisting: ScheduleEvent },
    CancelDelayedEventHandler,
    RestartDelayedEventHandler,
    SendDelayedEventHandler,
  ],
  exports: [DelayedEvents, DELAYED_SENDS],
})
export class CallsModule {}
