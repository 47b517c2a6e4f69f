import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DelayedEvents } from '../delayed-events.js';

/**
 * Counts the time of a delayed event anew, from now on: MSC4140, "Managing scheduled delayed events". Whoever knows its id may say so. Throws
 * M_NOT_FOUND, and M_UNKNOWN with status 409 where it was sent or cancelled.
 */
export class RestartDelayedEvent extends Command<void> {
  constructor(readonly delayId: string) {
    super();
  }
}

@CommandHandler(RestartDelayedEvent)
export class RestartDelayedEventHandler implements ICommandHandler<RestartDelayedEvent> {
  constructor(private readonly delayed: DelayedEvents) {}

  async execute({ delayId }: RestartDelayedEvent): Promise<void> {
    await this.delayed.restart(await this.delayed.userOf(delayId), delayId);
  }
}
