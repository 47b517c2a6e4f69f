import { Injectable } from '@nestjs/common';
import { BY_SERVER } from '#accounts/accounts';
import { KeyedQueue } from '#kernel/keyed-queue';
import { type Position, START } from '#kernel/position';
import { type Claim, decideClaims } from '../decide/decide-claims.js';
import { DeviceKeys } from '../device-keys.js';
import { deviceStream, type NamedPublicKey } from '../facts/device-key-facts.js';
import type { DeviceKey } from '../facts/device-streams.js';

/** What one claim is given; no `key` where the device, or a key of it, is not here. */
export interface Given {
  readonly key: NamedPublicKey | undefined;
  readonly position: Position;
}

interface Batch {
  readonly claims: Claim[];
  given: Promise<readonly Given[]>;
}

/** So many are decided at once: their facts fit into one write. */
const MOST_AT_ONCE = 200;

/**
 * Claims of the keys of one device take turns, and those that wait for the same turn are decided together, in one write: a hundred
 * users who write to one at the same time wait for two of them, and not for a hundred.
 */
@Injectable()
export class ClaimQueue {
  readonly #turns = new KeyedQueue<string>();
  readonly #next = new Map<string, Batch>();

  constructor(private readonly deviceKeys: DeviceKeys) {}

  /** Claims a key of a device. The claim is durable when it is answered. */
  async claim(device: DeviceKey, claim: Claim): Promise<Given> {
    const stream = deviceStream(device);
    const next = this.#next.get(stream);
    const batch = next !== undefined && next.claims.length < MOST_AT_ONCE ? next : this.#begin(stream, device);
    const at = batch.claims.push(claim) - 1;
    return (await batch.given)[at]!;
  }

  #begin(stream: string, device: DeviceKey): Batch {
    const claims: Claim[] = [];
    const batch: Batch = { claims, given: Promise.resolve([]) };
    this.#next.set(stream, batch);
    batch.given = this.#turns.run(stream, async () => {
      // Where nobody waits this is called at once: the claim that begins the batch comes into it behind that.
      await Promise.resolve();
      if (this.#next.get(stream) === batch) this.#next.delete(stream);
      return this.#give(device, claims);
    });
    return batch;
  }

  async #give(device: DeviceKey, claims: readonly Claim[]): Promise<readonly Given[]> {
    let keys: readonly (NamedPublicKey | undefined)[] = [];
    const decided = await this.deviceKeys.change(
      device,
      (state, time) => {
        const { facts, given } = decideClaims(state, claims, time);
        keys = given;
        return facts;
      },
      BY_SERVER,
    );
    const position = decided?.position ?? START;
    return claims.map((_, i) => ({ key: decided === undefined ? undefined : keys[i], position }));
  }
}
