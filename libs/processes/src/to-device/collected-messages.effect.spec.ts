import { beforeEach, describe, expect, it } from 'vitest';
import type { DeviceKey } from '#devices/facts/device-streams';
import { inboxStream, readSent, sentStream, textOfSent } from '#devices/facts/to-device-facts';
import { Inboxes } from '#devices/inboxes';
import { inboxProjector } from '#devices/projections/inbox.projector';
import { Aggregates } from '#event-store/aggregates';
import type { DeviceId, UserId } from '#kernel/ids';
import { type Position, START } from '#kernel/position';
import { MemoryEventStore } from '#testing/memory-event-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import { applyFacts } from '#testing/project';
import { CollectedMessages } from './collected-messages.effect.js';

const MINUTE = 60_000;
const SENDER: DeviceKey = ['@alice:a.example' as UserId, 'A' as DeviceId];
const BOB = '@bob:a.example' as UserId;
const deviceOf = (n: number): DeviceKey => [BOB, `B${n}` as DeviceId];

/** A sender, their receivers, and the effect: each step shows in the views and is followed at once. */
class World {
  readonly log = new MemoryEventStore();
  now = 1_000 * MINUTE;
  /** Up to where the views were waited for; and whether that goes on. */
  readonly kept: Position[] = [];
  whenKept: Promise<void> = Promise.resolve();
  readonly #views = Object.assign(new MemoryReadModels(), {
    whenKept: (position: Position): Promise<void> => {
      this.kept.push(position);
      return this.whenKept;
    },
  });
  readonly #clock = { now: (): number => this.now };
  readonly #inboxes = new Inboxes(this.log, this.#clock, this.#views);
  readonly #effect = new CollectedMessages(this.log, this.#views, this.#clock);
  readonly #sent = new Aggregates({
    store: this.log,
    clock: this.#clock,
    capacity: 1,
    initialState: 0,
    evolve: Number,
  });
  #projected: Position = START;

  /** A message to so many devices, B0 and those that follow. */
  async send(devices: number): Promise<void> {
    const to = Array.from({ length: devices }, (_, n) => [...deviceOf(n), n] as const);
    const contents = to.map(([, deviceId]) => JSON.stringify({ for: deviceId }));
    const txn = `${this.log.facts.length}`;
    const draft = { id: txn, type: 'to-device-sent', ...textOfSent({ type: 'm.test', txn }, to, contents) };
    await this.#sent.execute(sentStream(SENDER), () => [draft], { actor: SENDER[0] });
    await this.#follow();
  }

  /** A device has all that was sent so far. */
  async collect(n: number): Promise<void> {
    await this.#inboxes.expire(deviceOf(n), await this.log.head(), 'age');
    await this.#follow();
  }

  /** So many of the sender's messages are too many for a device. */
  async crowdOut(n: number, ...revisions: number[]): Promise<void> {
    const stream = sentStream(SENDER);
    await this.#inboxes.crowdOut(deviceOf(n), revisions.map((revision) => ({ stream, revision })), 'number'); // prettier-ignore
    await this.#follow();
  }

  /** A device's service has one of the sender's messages. */
  async handOver(n: number, revision: number): Promise<void> {
    const stream = sentStream(SENDER);
    const { position } = this.log.facts.find((fact) => fact.stream === stream && fact.revision === revision)!;
    this.#inboxes.noteHandedOver(deviceOf(n), [{ stream, revision, position }]);
    await this.#inboxes.onModuleDestroy();
    await this.#follow();
  }

  /** What is left of the sender's facts: their revisions, and the devices that each tells of. */
  async left(): Promise<string[]> {
    const facts: string[] = [];
    for await (const fact of this.log.readStream(sentStream(SENDER))) {
      const { to, contents } = readSent(fact);
      expect(contents).toEqual(to.map(([, deviceId]) => JSON.stringify({ for: deviceId })));
      facts.push(`${fact.revision}: ${to.map(([, deviceId]) => deviceId).join(' ')}`);
    }
    return facts;
  }

  /** How many facts there are of what a device has. */
  async collections(n: number): Promise<number> {
    let count = 0;
    for await (const _ of this.log.readStream(inboxStream(deviceOf(n)))) count++;
    return count;
  }

  async #follow(): Promise<void> {
    const fresh = this.log.facts.filter(({ position }) => position > this.#projected);
    await applyFacts(inboxProjector, fresh, this.#views);
    this.#projected = await this.log.head();
    for (const fact of fresh) if (this.#effect.keyOf(fact) !== undefined) await this.#effect.run(fact);
  }
}

describe('what devices have collected', () => {
  let world: World;
  beforeEach(() => void (world = new World()));

  it('goes from the log when there are 4, 2, 1 or none left who have not: a fact is not written anew for each', async () => {
    await world.send(6);
    const left: string[] = [];
    for (let n = 0; n < 6; n++) {
      await world.collect(n);
      left.push(...(await world.left()));
    }
    expect(left).toEqual(['0: B0 B1 B2 B3 B4 B5', '0: B2 B3 B4 B5', '0: B2 B3 B4 B5', '0: B4 B5', '0: B5', '0: ']);
  });

  it('goes for each device by itself that it was crowded out of: nothing else would say so', async () => {
    await world.send(6);
    await world.send(6);
    await world.crowdOut(5, 1);
    expect(await world.left()).toEqual(['0: B0 B1 B2 B3 B4 B5', '1: B0 B1 B2 B3 B4']);
  });

  it('goes for each device by itself whose service has it and not what came before it', async () => {
    await world.send(6);
    await world.send(6);
    await world.handOver(5, 1);
    expect(await world.left()).toEqual(['0: B0 B1 B2 B3 B4 B5', '1: B0 B1 B2 B3 B4']);
  });

  it('goes as a fact once an hour has passed, but for the last one, which a retry may name', async () => {
    for (let n = 0; n < 3; n++) await world.send(1);
    await world.collect(0);
    expect(await world.left()).toEqual(['0: ', '1: ', '2: ']);
    world.now += 61 * MINUTE;
    await world.send(1);
    await world.collect(0);
    expect(await world.left()).toEqual(['3: ']);
  });

  it('goes as a fact earlier where 256 have followed it', async () => {
    for (let n = 0; n < 258; n++) await world.send(1);
    await world.collect(0);
    const left = await world.left();
    expect([left.length, left[0]]).toEqual([256, '2: ']);
  });

  it('stays as a fact behind one that somebody has not collected, however long', async () => {
    await world.send(1);
    await world.send(2);
    await world.send(1);
    world.now += 10_000 * MINUTE;
    await world.send(1);
    await world.collect(0);
    expect(await world.left()).toEqual(['1: B1', '2: ', '3: ']);
    await world.collect(1);
    expect(await world.left()).toEqual(['3: ']);
  });

  it('is said no more once the views have come by it where that named some of it alone, and at once else', async () => {
    for (let n = 0; n < 40; n++) await world.send(2);
    let goOn = (): void => {};
    world.whenKept = new Promise((resolve) => (goOn = resolve));
    for (let n = 0; n < 17; n++) await world.crowdOut(0, n);
    expect([await world.collections(0), world.kept.length]).toEqual([17, 1]);
    for (let n = 17; n < 33; n++) await world.crowdOut(0, n);
    expect([await world.collections(0), world.kept.length]).toEqual([33, 1]);
    goOn();
    await expect.poll(() => world.collections(0)).toBe(17);
    for (let n = 0; n < 17; n++) {
      await world.send(2);
      await world.collect(1);
    }
    expect([await world.collections(1), world.kept.length]).toEqual([1, 1]);
  });
});
