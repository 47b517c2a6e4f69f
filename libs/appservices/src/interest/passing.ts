import type { KeyCounts } from '#devices/facts/device-key-facts';
import { clientCounts } from '#devices/queries/key-counts';
import type { DeviceId, UserId } from '#kernel/ids';
import type { ServiceTransaction } from '../facts/service-facts.js';

/** Whose devices a service has to ask for again, and whose are no business of it any more. */
export interface ListChange {
  readonly changed: readonly UserId[];
  readonly left: readonly UserId[];
}

/** The keys of a device of one of its users, as a service is told of them. */
export interface CountedDevice {
  readonly userId: UserId;
  readonly deviceId: DeviceId;
  readonly after: Pick<KeyCounts, 'counts' | 'unused_fallback'>;
}

/** What else a JSON text of an id takes, in a list. */
const AROUND_ID = 3;

/** What is in a transaction beside what the log has for good; of each user and device the last counts. */
export class Passing {
  #ephemeral: string[] = [];
  readonly #changed = new Set<UserId>();
  readonly #left = new Set<UserId>();
  readonly #devices = new Map<string, CountedDevice>();
  #text = 0;

  /** How many things there are. */
  get size(): number {
    return this.#ephemeral.length + this.#changed.size + this.#left.size + this.#devices.size;
  }

  /** How long all of it is as text, about, in UTF-16 units. */
  get text(): number {
    return this.#text;
  }

  addEphemeral(...events: readonly string[]): void {
    for (const event of events) {
      this.#ephemeral.push(event);
      this.#text += event.length + 1;
    }
  }

  addLists({ changed, left }: ListChange): void {
    for (const userId of changed) this.#move(userId, this.#changed, this.#left);
    for (const userId of left) this.#move(userId, this.#left, this.#changed);
  }

  addDevice(device: CountedDevice): void {
    const key = JSON.stringify([device.userId, device.deviceId]);
    const before = this.#devices.get(key);
    if (before !== undefined) this.#text -= textOf(before);
    this.#devices.set(key, device);
    this.#text += textOf(device);
  }

  /** Takes some of it out, which is no longer than so many UTF-16 units or one thing. */
  takeSome(most: number): Passing {
    const some = new Passing();
    const fits = (text: number): boolean => some.size === 0 || some.text + text <= most;
    let events = 0;
    for (const event of this.#ephemeral) {
      if (!fits(event.length + 1)) break;
      some.addEphemeral(event);
      events++;
    }
    this.#ephemeral = this.#ephemeral.slice(events);
    for (const [users, of] of [
      [this.#changed, (userId: UserId) => ({ changed: [userId], left: [] })],
      [this.#left, (userId: UserId) => ({ changed: [], left: [userId] })],
    ] as const) {
      for (const userId of users) {
        if (!fits(userId.length + AROUND_ID)) break;
        some.addLists(of(userId));
        users.delete(userId);
      }
    }
    for (const [key, device] of this.#devices) {
      if (!fits(textOf(device))) break;
      some.addDevice(device);
      this.#devices.delete(key);
    }
    this.#text -= some.text;
    return some;
  }

  /** As it stands in a transaction, under its stable keys; undefined where there is nothing. */
  get told(): ServiceTransaction['passing'] {
    if (this.size === 0) return undefined;
    const lists = { changed: [...this.#changed], left: [...this.#left] };
    return {
      ...(this.#ephemeral.length === 0 ? {} : { ephemeral: `[${this.#ephemeral.join()}]` }),
      ...(lists.changed.length + lists.left.length === 0 ? {} : { device_lists: JSON.stringify(lists) }),
      ...(this.#devices.size === 0 ? {} : this.#toldOfDevices()),
    };
  }

  #toldOfDevices(): ServiceTransaction['passing'] {
    const counts: Record<UserId, Record<DeviceId, Readonly<Record<string, number>>>> = {};
    const fallback: Record<UserId, Record<DeviceId, readonly string[]>> = {};
    for (const { userId, deviceId, after } of this.#devices.values()) {
      (counts[userId] ??= {})[deviceId] = clientCounts(after);
      (fallback[userId] ??= {})[deviceId] = after.unused_fallback;
    }
    return {
      device_one_time_keys_count: JSON.stringify(counts),
      device_unused_fallback_key_types: JSON.stringify(fallback),
    };
  }

  #move(userId: UserId, to: Set<UserId>, from: Set<UserId>): void {
    const text = userId.length + AROUND_ID;
    if (from.delete(userId)) this.#text -= text;
    if (to.has(userId)) return;
    to.add(userId);
    this.#text += text;
  }
}

function textOf({ userId, deviceId, after }: CountedDevice): number {
  const ids = 2 * (userId.length + deviceId.length + 2 * AROUND_ID);
  return ids + JSON.stringify(clientCounts(after)).length + JSON.stringify(after.unused_fallback).length;
}
