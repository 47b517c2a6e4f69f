import type { NewFact, RecordedFact } from '#event-store/event-store';
import type { UserId } from '#kernel/ids';
import { USER_STREAM_PREFIX, userIdOfStream } from '#kernel/user-stream';
import type { CrossSigningKeysSet, SignaturesAdded } from './cross-signing-facts.js';
import { REMOTE_DEVICES_PREFIX, userIdOfRemoteDevices } from './remote-device-facts.js';
import { deviceOfDeviceStream } from './device-key-facts.js';

/** What others see of a user's devices and keys has changed, or only what some users themselves see of others. */
export interface KeyChange {
  /** Whose keys are others now, for everybody who shares a room with them. */
  readonly userId?: UserId;
  /** Whose keys are others now for one user alone: what they signed, which nobody else is shown. */
  readonly seenBy?: { readonly reader: UserId; readonly users: readonly UserId[] };
}

/** The facts that may be such a change. */
export const KEY_CHANGE_TYPES: ReadonlySet<string> = new Set([
  'device-added',
  'device-renamed',
  'devices-removed',
  'device-keys-set',
  'cross-signing-keys-set',
  'signatures-added',
  'remote-devices-listed',
  'remote-device-updated',
  'remote-signing-keys-updated',
]);

/** What of users' devices and keys a fact changed for whom; undefined for one that changed nothing that anybody is shown. */
export function keyChangeOf(
  fact: Pick<RecordedFact, 'stream'> & Pick<NewFact, 'type' | 'data'>,
): KeyChange | undefined {
  const { type, stream } = fact;
  if (!KEY_CHANGE_TYPES.has(type)) return undefined;
  if (type === 'device-keys-set') return { userId: deviceOfDeviceStream(stream)[0] };
  if (stream.startsWith(REMOTE_DEVICES_PREFIX)) return { userId: userIdOfRemoteDevices(stream) };
  if (!stream.startsWith(USER_STREAM_PREFIX)) return undefined;
  const userId = userIdOfStream(stream);
  if (type === 'cross-signing-keys-set') {
    const { master, self_signing } = JSON.parse(fact.data) as CrossSigningKeysSet;
    // A user-signing key is told to nobody else.
    return (master ?? self_signing) ? { userId } : { seenBy: { reader: userId, users: [userId] } };
  }
  if (type === 'signatures-added') {
    const users = [...new Set((JSON.parse(fact.data) as SignaturesAdded).signatures.map(({ user_id: of }) => of))];
    const others = users.filter((of) => of !== userId);
    return {
      ...(others.length < users.length ? { userId } : {}),
      ...(others.length === 0 ? {} : { seenBy: { reader: userId, users: others } }),
    };
  }
  return { userId };
}
