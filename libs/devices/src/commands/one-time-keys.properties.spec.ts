import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BY_SERVER } from '#accounts/accounts';
import { DEVICES } from '#accounts/projections/devices.projector';
import { LogHistory } from '#event-store/log-history';
import { systemClock } from '#kernel/clock';
import type { DeviceId, UserId } from '#kernel/ids';
import { START } from '#kernel/position';
import { MemoryReadModels } from '#testing/memory-read-models';
import { applyFacts } from '#testing/project';
import { type Fate, UncertainEventStore } from '#testing/uncertain-event-store';
import { decideUpload } from '../decide/decide-upload.js';
import { countKeys, foldDeviceKeyFact, NO_KEYS } from '../decide/keys-of-device.js';
import { DeviceKeys } from '../device-keys.js';
import { deviceStream, type NamedPublicKey } from '../facts/device-key-facts.js';
import type { DeviceKey } from '../facts/device-streams.js';
import { deviceKeysProjector, KEY_COUNTS } from '../projections/device-keys.projector.js';
import { ClaimQueue } from './claim-queue.js';

const DEVICE: DeviceKey = ['@alice:a.example' as UserId, 'D' as DeviceId];
const BOB = '@bob:a.example' as UserId;

/** Two processes over one log, which may be put back, and the client that uploads. */
class World {
  log = new UncertainEventStore();
  history = LogHistory.UNBROKEN;
  /** Numbers of keys: what was uploaded and acknowledged under the history of today, in order. */
  acknowledged: number[] = [];
  /** The client was not told whether these arrived: it sends them again, with the next ones. */
  unsure: number[] = [];
  readonly given: number[] = [];
  /** Since the log was put back last, or keys were lost with an answer. */
  givenOfNow: number[] = [];
  isSure = true;
  #made = 0;
  #queues: ClaimQueue[] = [];
  #keys: DeviceKeys[] = [];

  constructor() {
    this.restart();
  }

  /** Both processes begin anew. */
  restart(): void {
    const row = JSON.stringify({ created_ts: 7, current: { token_hash: 'h' } });
    const get = async (collection: string): Promise<string | undefined> =>
      collection === DEVICES.name ? row : undefined;
    this.#keys = [1, 2].map(() => new DeviceKeys(this.log, systemClock, { get, history: this.history }));
    this.#queues = this.#keys.map((keys) => new ClaimQueue(keys));
  }

  /** The log is put back to the first part of its facts, and both processes begin anew. */
  async putBack(part: number): Promise<void> {
    const { facts } = this.log;
    this.log = new UncertainEventStore();
    for (const { stream, revision, ...fact } of facts.slice(0, Math.floor(facts.length * part))) {
      await this.log.append(stream, revision === 0 ? 'no-stream' : revision - 1, [fact]);
    }
    const name = `cafe${String(this.#made).padStart(4, '0')}`;
    this.history = new LogHistory([{ name, agreed: START }]);
    // The client is told that nothing is here, and makes new keys. One that it sent, that was claimed, and of which both were lost
    // before it was told that the first arrived, is one that nobody here can know.
    this.unsure = [];
    this.acknowledged = [];
    this.givenOfNow = [];
    this.isSure = true;
    this.restart();
  }

  async upload(count: number, process: number): Promise<void> {
    const fresh = Array.from({ length: count }, () => this.#made++);
    const numbers = [...this.unsure, ...fresh];
    const oneTimeKeys = numbers.map(keyOf);
    try {
      const decide = (keys: typeof NO_KEYS, time: { createdTs: number; history: string }) =>
        decideUpload(keys, { oneTimeKeys, fallbackKeys: [] }, time);
      await this.#keys[process]!.change(DEVICE, decide, BY_SERVER);
      this.acknowledged.push(...numbers);
      this.unsure = [];
    } catch {
      this.unsure = numbers;
      this.isSure = false;
    }
  }

  async claim(counts: readonly number[]): Promise<void> {
    const claims = counts.flatMap((count, process) =>
      Array.from({ length: count }, () => this.#queues[process]!.claim(DEVICE, { algorithm: 'a', by: BOB })),
    );
    for (const settled of await Promise.allSettled(claims)) {
      if (settled.status === 'rejected') this.isSure = false;
      else if (settled.value.key !== undefined) this.#take(Number(settled.value.key.key_id), counts);
    }
  }

  #take(number: number, counts: readonly number[]): void {
    expect(this.given, `key ${number} was given twice`).not.toContain(number);
    this.given.push(number);
    this.givenOfNow.push(number);
    // What two processes are asked for at once is answered in any order.
    if (counts.every((count) => count > 0)) this.givenOfNow.sort((a, b) => a - b);
  }

  /** What the log says, and what the views make of it. */
  async check(): Promise<void> {
    const keys = this.log.facts.reduce(foldDeviceKeyFact, NO_KEYS);
    const { counts } = countKeys(keys, this.history.name);
    if (this.isSure) {
      expect(this.givenOfNow).toEqual(this.acknowledged.slice(0, this.givenOfNow.length));
      expect(counts['a'] ?? 0).toBe(this.acknowledged.length - this.givenOfNow.length);
    }
    const left = [...keys.oneTimeKeys.values()].filter(({ history }) => history === this.history.name);
    for (const { key_id: id } of left) expect(this.given).not.toContain(Number(id));
    const views = new MemoryReadModels();
    await applyFacts(deviceKeysProjector, this.log.facts, views);
    const row = await KEY_COUNTS.get(views, DEVICE);
    const last = this.log.facts.filter(({ stream }) => stream === deviceStream(DEVICE)).at(-1);
    expect(row?.position).toBe(last?.position);
    if (row?.history === this.history.name) expect(row.counts).toEqual(counts);
  }
}

function keyOf(number: number): NamedPublicKey {
  return { algorithm: 'a', key_id: String(number), key: `key ${number}` };
}

const fate = fc.constantFrom<Fate>('done', 'never done', 'done late');
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ upload: fc.nat(5), process: fc.nat(1) }) },
  { weight: 6, arbitrary: fc.record({ claim: fc.tuple(fc.nat(4), fc.nat(4)) }) },
  { weight: 2, arbitrary: fc.record({ breaks: fc.array(fate, { minLength: 1, maxLength: 2 }) }) },
  { weight: 1, arbitrary: fc.constant({ restart: true } as const) },
  { weight: 1, arbitrary: fc.record({ putBack: fc.double({ min: 0, max: 1, noNaN: true }) }) },
);

test('no one-time key is given twice, whatever crashes, is lost, comes again or is put back, and none is given before an older one', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
      const world = new World();
      for (const one of steps) {
        if ('upload' in one) await world.upload(one.upload, one.process);
        else if ('claim' in one) await world.claim(one.claim);
        else if ('breaks' in one) world.log.breakNext(...one.breaks);
        else if ('restart' in one) world.restart();
        else await world.putBack(one.putBack);
        await world.log.carryOutLate();
        await world.check();
      }
    }),
    { numRuns: 100 },
  );
});
