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

/** What is in a transaction beside what the log has for good; of each user and device the last counts. */
export class Passing {
  readonly #ephemeral: string[] = [];
  readonly #changed = new Set<UserId>();
  readonly #left = new Set<UserId>();
  readonly #counts: Record<UserId, Record<DeviceId, Readonly<Record<string, number>>>> = {};
  readonly #fallback: Record<UserId, Record<DeviceId, readonly string[]>> = {};
  #size = 0;

  /** How many things there are. */
  get size(): number {
    return this.#size;
  }

  addEphemeral(...events: readonly string[]): void {
    this.#ephemeral.push(...events);
    this.#size += events.length;
  }

  addLists({ changed, left }: ListChange): void {
    for (const userId of changed) move(userId, this.#changed, this.#left);
    for (const userId of left) move(userId, this.#left, this.#changed);
    this.#size += Number(changed.length + left.length > 0);
  }

  addDevice({ userId, deviceId, after }: CountedDevice): void {
    (this.#counts[userId] ??= {})[deviceId] = clientCounts(after);
    (this.#fallback[userId] ??= {})[deviceId] = after.unused_fallback;
    this.#size++;
  }

  /** As it stands in a transaction, under its stable keys; undefined where there is nothing. */
  get told(): ServiceTransaction['passing'] {
    if (this.#size === 0) return undefined;
    const lists = { changed: [...this.#changed], left: [...this.#left] };
    const hasKeys = Object.keys(this.#counts).length > 0;
    return {
      ...(this.#ephemeral.length === 0 ? {} : { ephemeral: `[${this.#ephemeral.join()}]` }),
      ...(lists.changed.length + lists.left.length === 0 ? {} : { device_lists: JSON.stringify(lists) }),
      ...(hasKeys ? { device_one_time_keys_count: JSON.stringify(this.#counts) } : {}),
      ...(hasKeys ? { device_unused_fallback_key_types: JSON.stringify(this.#fallback) } : {}),
    };
  }
}

function move(userId: UserId, to: Set<UserId>, from: Set<UserId>): void {
  from.delete(userId);
  to.add(userId);
}
