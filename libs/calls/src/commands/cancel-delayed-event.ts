import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DelayedEvents } from '../delayed-events.js';

/**
 * Lets a delayed event never be sent, which it may be already: MSC4140, "Managing scheduled delayed events". Whoever knows its id may say so. Throws
 * M_NOT_FOUND, and M_UNKNOWN with status 409 where it was sent.
 */
export class CancelDelayedEvent extends Command<void> {
  constructor(readonly delayId: string) {
    super();
  }
}

@CommandHandler(CancelDelayedEvent)
export class CancelDelayedEventHandler implements ICommandHandler<CancelDelayedEvent> {
  constructor(private readonly delayed: DelayedEvents) {}

  async execute({ delayId }: CancelDelayedEvent): Promise<void> {
    await this.delayed.cancel(await this.delayed.userOf(delayId), delayId);
  }
}
