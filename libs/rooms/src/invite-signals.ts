import type { UserId } from '#kernel/ids';

/** What the presence of a user says of who may ask them to talk; `libs/ephemeral` keeps it. */
export interface InviteSignals {
  /** Whether a user does not want to be asked into a one-to-one chat by somebody as it is now. */
  refuses(userId: UserId, sender: UserId): Promise<boolean>;
}

/** Injection token of the InviteSignals; where there is none, presence says nothing of it. */
export const INVITE_SIGNALS = Symbol.for('annals.InviteSignals');
