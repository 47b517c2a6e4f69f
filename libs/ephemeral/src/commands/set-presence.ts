import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { Presence } from '../presence/presence.js';
import type { SaidState } from '../presence/availability.js';

/** As much as a display name may have of characters, twice. */
const MAX_STATUS_LENGTH = 512;

/**
 * Sets the requester's presence on their device, and the message beside it in the place of the one before: client-server API, PUT
 * /presence/{userId}/status. Throws M_INVALID_PARAM (the message is too long). Does nothing where presence is off.
 */
export class SetPresence extends Command<void> {
  constructor(
    readonly requester: Requester,
    readonly said: SaidState,
    readonly statusMsg: string | undefined,
  ) {
    super();
  }
}

@CommandHandler(SetPresence)
export class SetPresenceHandler implements ICommandHandler<SetPresence> {
  constructor(private readonly presence: Presence) {}

  async execute({ requester, said, statusMsg }: SetPresence): Promise<void> {
    if (statusMsg !== undefined && statusMsg.length > MAX_STATUS_LENGTH) {
      throw new MatrixError('M_INVALID_PARAM', `status_msg: longer than ${MAX_STATUS_LENGTH} characters`);
    }
    await this.presence.choose(requester, said, statusMsg || undefined);
  }
}
