import type { UserId } from '#kernel/ids';

/** What becomes of an invitation into a one-to-one chat: it is shown, not shown for now, or refused. */
export type InviteSignal = 'accept' | 'hold' | 'refuse';

/** What the presence of a user says of who may ask them to talk; `libs/ephemeral` keeps it. */
export interface InviteSignals {
  /** What becomes of an invitation by somebody as it is now. */
  decide(userId: UserId, sender: UserId): Promise<InviteSignal>;
}

/** Injection token of the InviteSignals; where there is none, presence says nothing of it. */
export const INVITE_SIGNALS = Symbol.for('annals.InviteSignals');
