import type { ExpectedRevision } from '#event-store/event-store';
import type { DeviceId, UserId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';

/** What accounts need of the keys by which users sign; `libs/devices` keeps them. */
export interface TakenDeviceIds {
  /**
   * Whether a key of a user has this name. No device of theirs may have it: who verifies either goes by the name alone (client-server
   * API, "Cross-signing").
   */
  look(
    userId: UserId,
    deviceId: DeviceId,
  ): Promise<{ readonly isTaken: boolean; /** Of the user's stream. */ readonly revision: ExpectedRevision }>;
}

/** Injection token of the TakenDeviceIds. */
export const TAKEN_DEVICE_IDS = Symbol.for('annals.TakenDeviceIds');

/** Something else stands in the stream by now: what was looked at before has to be looked at again. */
class LookedTooEarly extends Error {}

/**
 * Appends to a user's stream what depends on something else that stands there: `look` answers with the revision that it looked at, and
 * `change` has it checked (`isAsSeen`) as it decides, so that nothing comes between the two. What either throws is thrown.
 */
export async function changeAsSeen<L extends { readonly revision: ExpectedRevision }, T>(
  look: () => Promise<L>,
  change: (seen: L, isAsSeen: (revision: ExpectedRevision) => void) => Promise<T>,
): Promise<T> {
  for (;;) {
    const seen = await look();
    try {
      return await change(seen, (revision) => {
        if (revision !== 'no-stream' && (seen.revision === 'no-stream' || revision > seen.revision))
          throw new LookedTooEarly();
      });
    } catch (error) {
      if (!(error instanceof LookedTooEarly)) throw error;
    }
  }
}

/** Gives a device a name that none of the user's keys has, by `change`. Throws M_FORBIDDEN where one has, as `POST /login` says. */
export function withFreeDeviceId<T>(
  taken: TakenDeviceIds,
  userId: UserId,
  deviceId: DeviceId,
  change: (isAsSeen: (revision: ExpectedRevision) => void) => Promise<T>,
): Promise<T> {
  return changeAsSeen(
    () => taken.look(userId, deviceId),
    ({ isTaken }, isAsSeen) => {
      if (isTaken) throw new MatrixError('M_FORBIDDEN', 'device_id: a key of this user has this name');
      return change(isAsSeen);
    },
  );
}
