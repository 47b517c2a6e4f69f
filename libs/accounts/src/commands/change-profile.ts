import { Inject, Logger, Optional } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { JsonValue } from '#kernel/json';
import type { Requester } from '#kernel/requester';
import { Accounts, causeOf } from '../accounts.js';
import { decideProfileChange } from '../decide/decide-profile.js';
import { PROFILE_IN_ROOMS, type ProfileInRooms } from '../profile-in-rooms.js';

/** The keys that member events repeat. */
const SHOWN_IN_ROOMS: ReadonlySet<string> = new Set(['displayname', 'avatar_url']);

/** How long the answer waits for the rooms: most users' are done by then, and nobody waits for hundreds. */
const PATIENCE_MS = 500;

/**
 * Sets one key of the requester's profile, or removes it where `value` is undefined, and tells the rooms. Settles when the
 * profile is changed and the rooms know, or soon, whichever is first. Throws as `decideProfileChange`.
 */
export class ChangeProfile extends Command<void> {
  constructor(
    readonly requester: Requester,
    readonly key: string,
    readonly value: JsonValue | undefined,
  ) {
    super();
  }
}

@CommandHandler(ChangeProfile)
export class ChangeProfileHandler implements ICommandHandler<ChangeProfile> {
  readonly #log = new Logger('profiles');

  constructor(
    private readonly accounts: Accounts,
    // Absent where no rooms are served: on the command line.
    @Optional() @Inject(PROFILE_IN_ROOMS) private readonly rooms?: ProfileInRooms,
  ) {}

  async execute({ requester, key, value }: ChangeProfile): Promise<void> {
    const { changed } = await this.accounts.change(
      requester.userId,
      (account) => decideProfileChange(account, key, value),
      causeOf(requester),
    );
    if (!changed || this.rooms === undefined || !SHOWN_IN_ROOMS.has(key)) return;
    const told = this.rooms.profileChanged(requester, requester.userId).catch((error: unknown) => {
      this.#log.error({ err: error, userId: requester.userId }, 'rooms were not told of a changed profile');
    });
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => (timer = setTimeout(resolve, PATIENCE_MS)));
    await Promise.race([told, patience]);
    clearTimeout(timer);
  }
}
