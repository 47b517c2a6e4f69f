import { DEVICES } from '#accounts/projections/devices.projector';
import { type DeviceId, type ServerName, serverNameOf, type UserId } from '#kernel/ids';
import { Turn } from '#projections/turn';
import type { Views } from '#projections/views';
import type { Addressed, Messages } from '../decide/check-messages.js';
import type { DeviceKey } from '../facts/device-streams.js';
import type { Receiver } from '../facts/to-device-facts.js';

/** So many devices are looked up at once. */
const AT_ONCE = 250;

/**
 * The devices of this server (`ours`) that there are, of those that messages are addressed to. Other servers name users by the ten thousand:
 * everything else has its turn in between.
 */
export async function addressHere(
  views: Pick<Views, 'getMany' | 'scan'>,
  ours: ServerName,
  messages: Messages,
): Promise<Addressed> {
  const to: Receiver[] = [];
  const contents: string[] = [];
  const here = [...messages].filter(([userId]) => serverNameOf(userId) === ours);
  for await (const [userId, deviceId] of namedIn(views, here)) {
    to.push([userId, deviceId, contents.push(messages.get(userId)!.get(deviceId)!) - 1]);
  }
  const turn = new Turn(1);
  for (const [userId, byDevice] of here) {
    if (turn.isOver()) await turn.pass();
    const forAll = byDevice.get('*');
    if (forAll === undefined) continue;
    const content = contents.push(forAll) - 1;
    for await (const deviceId of devicesOf(views, userId)) {
      if (!byDevice.has(deviceId)) to.push([userId, deviceId, content]);
    }
  }
  return { to, contents };
}

/** Of the devices that are addressed by their ids those that there are. Looked up together: a key of a room goes to hundreds. */
async function* namedIn(
  views: Pick<Views, 'getMany'>,
  messages: Iterable<readonly [UserId, ReadonlyMap<DeviceId | '*', string>]>,
): AsyncGenerator<DeviceKey, void> {
  const named: DeviceKey[] = [];
  for (const [userId, byDevice] of messages) {
    for (const deviceId of byDevice.keys()) if (deviceId !== '*') named.push([userId, deviceId as DeviceId]);
  }
  const turn = new Turn(1);
  for (let at = 0; at < named.length; at += AT_ONCE) {
    if (turn.isOver()) await turn.pass();
    const some = named.slice(at, at + AT_ONCE);
    const rows = await DEVICES.getMany(views, some);
    yield* some.filter((_, i) => rows[i] !== undefined);
  }
}

async function* devicesOf(views: Pick<Views, 'scan'>, userId: UserId): AsyncGenerator<DeviceId, void> {
  for await (const page of DEVICES.pages(views, { prefix: [userId] })) {
    for (const { key } of page) yield key[1];
  }
}
