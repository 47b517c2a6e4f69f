import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DelayedEvents } from '../delayed-events.js';

/**
 * Sends a delayed event now, which it may be already. Where that is refused it goes on waiting: MSC4140, "Managing scheduled delayed events". Whoever knows its id may say so. Throws
 * M_NOT_FOUND, M_UNKNOWN with status 409 where it was cancelled, and as SendEvent and SetState.
 */
export class SendDelayedEvent extends Command<void> {
  constructor(readonly delayId: string) {
    super();
  }
}

@CommandHandler(SendDelayedEvent)
export class SendDelayedEventHandler implements ICommandHandler<SendDelayedEvent> {
  constructor(private readonly delayed: DelayedEvents) {}

  async execute({ delayId }: SendDelayedEvent): Promise<void> {
    await this.delayed.send(await this.delayed.userOf(delayId), delayId);
  }
}
