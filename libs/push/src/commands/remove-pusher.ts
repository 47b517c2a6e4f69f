import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Requester } from '#kernel/requester';
import type { PusherName } from '../facts/pusher-facts.js';
import { decidePusherRemoval } from '../pushers/decide-pushers.js';
import { Pushers } from '../pushers.js';

/** Removes a pusher of the requester's. One that is not there is removed already. */
export class RemovePusher extends Command<void> {
  constructor(
    readonly requester: Requester,
    readonly name: PusherName,
  ) {
    super();
  }
}

@CommandHandler(RemovePusher)
export class RemovePusherHandler implements ICommandHandler<RemovePusher> {
  constructor(private readonly pushers: Pushers) {}

  async execute({ requester, name }: RemovePusher): Promise<void> {
    const { userId, deviceId: device, requestId: correlation } = requester;
    await this.pushers.change(userId, { actor: userId, device, correlation }, (known) =>
      decidePusherRemoval(known, name, 'user'),
    );
  }
}
