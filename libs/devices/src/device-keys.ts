import { Inject, Injectable } from '@nestjs/common';
import { BY_SERVER } from '#accounts/accounts';
import { DEVICES } from '#accounts/projections/devices.projector';
import { Aggregates, type Cause } from '#event-store/aggregates';
import { EVENT_STORE, type EventStore } from '#event-store/event-store';
import { draftOf } from '#event-store/seal-facts';
import { CLOCK, type Clock } from '#kernel/clock';
import type { CacheNumbers } from '#kernel/lru-cache';
import { type Position, START } from '#kernel/position';
import { VIEWS, type Views } from '#projections/views';
import type { KeyTime } from './decide/decide-upload.js';
import {
  decideEnd,
  evolveKeysOfDevice,
  foldDeviceKeyFact,
  type KeysOfDevice,
  NO_KEYS,
} from './decide/keys-of-device.js';
import { sumUp } from './decide/sum-up.js';
import { type DeviceKeyFact, deviceStream } from './facts/device-key-facts.js';
import type { DeviceKey } from './facts/device-streams.js';

/** How many devices' keys stay folded in memory. */
const CAPACITY = 5_000;
/** So many facts of a device are kept; then all that stands is said again. */
const FACTS_KEPT = 256;

/** The keys of a device once something was decided upon them. */
export interface ChangedKeys {
  readonly keys: KeysOfDevice;
  readonly time: KeyTime;
  /** Wait for it to read what was written; START where nothing was. */
  readonly position: Position;
}

/** The write side of the keys of devices: decides upon the newest state of a device's stream and appends. */
@Injectable()
export class DeviceKeys {
  readonly #streams: Aggregates<KeysOfDevice>;

  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(VIEWS) private readonly views: Pick<Views, 'get' | 'history'>,
  ) {
    const fold = { initialState: NO_KEYS, evolve: foldDeviceKeyFact };
    this.#streams = new Aggregates({
      store,
      clock,
      capacity: CAPACITY,
      ...fold,
    });
  }

  /** For metrics. */
  get numbers(): CacheNumbers {
    return this.#streams.numbers;
  }

  /**
   * Appends what `decide` answers to the stream of a device, durably. undefined where there is no such device. Throws what `decide`
   * throws.
   */
  async change(
    device: DeviceKey,
    decide: (keys: KeysOfDevice, time: KeyTime) => readonly DeviceKeyFact[],
    cause: Cause,
  ): Promise<ChangedKeys | undefined> {
    const row = await DEVICES.get(this.views, device);
    if (row === undefined) return undefined;
    const stream = deviceStream(device);
    const time: KeyTime = {
      createdTs: row.created_ts,
      history: this.views.history.name,
    };
    const { state, facts, revision, position } = await this.#streams.execute(
      stream,
      (keys) => withSum(keys, decide(keys, time), time).map(draftOf),
      cause,
    );
    if (facts.at(-1)?.type === 'device-keys-summed-up') {
      // Nobody waits for it: what is not let go now goes the next time.
      void this.store.truncate(stream, revision as number).catch(() => {});
    }
    return {
      keys: state,
      time,
      position: facts.length === 0 ? START : position,
    };
  }

  /** Decides as `change` does upon the keys that a device has, there or not, and writes nothing. Throws what `decide` throws. */
  async foresee(device: DeviceKey, decide: (keys: KeysOfDevice, time: KeyTime) => unknown): Promise<void> {
    const row = await DEVICES.get(this.views, device);
    const { state } = await this.#streams.load(deviceStream(device));
    decide(state, {
      createdTs: row?.created_ts ?? this.clock.now(),
      history: this.views.history.name,
    });
  }

  /** When the device was made whose keys there are, in milliseconds; undefined where there are none. */
  async findMadeAt(device: DeviceKey): Promise<number | undefined> {
    return (await this.#streams.load(deviceStream(device))).state.createdTs;
  }

  /**
   * Ends the keys of a device that was removed, by when it was made, in milliseconds, and lets them go from the log. Answers whether there were any: those
   * of one that was made again since are not. Asked again, it goes on where it was left.
   */
  async end(device: DeviceKey, isRemoved: (madeAt: number) => boolean): Promise<boolean> {
    const stream = deviceStream(device);
    const { state, facts, revision } = await this.#streams.execute(
      stream,
      (keys) => decideEnd(keys, isRemoved).map(draftOf),
      BY_SERVER,
    );
    if (revision === 'no-stream' || state.createdTs !== undefined) return false;
    await this.store.truncate(stream, revision);
    return facts.length > 0;
  }
}

function withSum(keys: KeysOfDevice, facts: readonly DeviceKeyFact[], { history }: KeyTime): readonly DeviceKeyFact[] {
  if (facts.length === 0 || keys.facts + facts.length < FACTS_KEPT) return facts;
  return [...facts, sumUp(facts.reduce(evolveKeysOfDevice, keys), history)];
}
