import { EventEmitter } from 'node:events';
import type { Db, MongoClient } from 'mongodb';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Outage } from '#kernel/outage';
import { ViewsUnavailable } from '../read-model-errors.js';
import type { Way } from './connect.js';
import { GroupWrites } from './group-writes.js';
import { Journal } from './journal.js';
import { LargeValues } from './large-values.js';
import { RenewedClient } from './renewed-client.js';

const A = 'a.example:27017';
const B = 'b.example:27017';

/** The driver's client, as far as it is used here. */
class FakeClient extends EventEmitter {
  readonly calls: string[] = [];
  /** Whether the server is away: who connects waits for it then, and is told so after a while. */
  isAway = false;
  /** How closing it ends, other than at once. */
  closes: (() => Promise<void>) | undefined;
  readonly #topology = { close: () => void this.calls.push('end') };
  topology: object | undefined = this.#topology;

  async connect(): Promise<void> {
    this.calls.push('connect');
    this.topology = this.#topology;
    if (!this.isAway) return;
    await new Promise((resolve) => setTimeout(resolve, 2500));
    throw new Error('no server');
  }

  async close(): Promise<void> {
    this.calls.push('close');
    await this.closes?.();
    this.topology = undefined;
    for (const address of [A, B]) this.emit('serverClosed', { address });
  }

  /** A look at a server begins, or ends. */
  look(address: string, what: 'Started' | 'Succeeded' | 'Failed'): void {
    this.emit(`serverHeartbeat${what}`, { connectionId: address });
  }
}

let fake: FakeClient;
let client: RenewedClient;

beforeEach(() => {
  vi.useFakeTimers();
  fake = new FakeClient();
  client = new RenewedClient(fake as unknown as MongoClient);
});
afterEach(async () => {
  await closed();
  vi.useRealTimers();
});

async function closed(): Promise<void> {
  const closing = client.close();
  await pass(3);
  await closing;
}

const pass = (seconds: number): Promise<unknown> => vi.advanceTimersByTimeAsync(seconds * 1000);

describe('a client of the database', () => {
  it('is connected anew where a look at one of its servers never ends, once', async () => {
    fake.look(A, 'Started');
    fake.look(A, 'Succeeded');
    fake.look(B, 'Started');
    for (let seconds = 0; seconds < 12; seconds += 2) {
      fake.look(A, seconds % 4 === 0 ? 'Started' : 'Succeeded');
      await pass(2);
    }
    expect(fake.calls).toEqual([]);
    await pass(3);
    expect(fake.calls).toEqual(['close', 'connect']);
    await pass(600);
    expect(fake.calls).toEqual(['close', 'connect']);
  });

  it('is not where a server answers as late as it may, fails, or belongs to it no longer', async () => {
    fake.look(B, 'Started');
    fake.emit('serverClosed', { address: B });
    for (let n = 0; n < 20; n++) {
      fake.look(A, 'Started');
      await pass(8);
      fake.look(A, n % 2 === 0 ? 'Succeeded' : 'Failed');
      await pass(2);
    }
    expect(fake.calls).toEqual([]);
  });

  it('is connected as soon as the database is back, and not once it was closed', async () => {
    fake.isAway = true;
    client.renew();
    client.renew();
    await pass(7);
    expect(fake.calls).toEqual(['close', 'connect', 'close', 'connect', 'close', 'connect']);
    fake.isAway = false;
    await pass(600);
    expect(fake.calls.slice(6)).toEqual(['close', 'connect']);
    fake.isAway = true;
    client.renew();
    await pass(1);
    await closed();
    const { length } = fake.calls;
    client.renew();
    await pass(600);
    expect(fake.calls.length).toBe(length);
  });

  it('ends what never ends by itself, before anything else can be asked, and leaves alone what ends', async () => {
    const ended = client.unlessRenewed(Promise.resolve('ended'));
    const failing = client.unlessRenewed(new Promise((_, reject) => setTimeout(() => reject(new Error('lost')), 50)));
    const never = client.unlessRenewed(new Promise(() => {}));
    // As long as it may go on nothing else is asked.
    const outcomes = Promise.allSettled([failing.finally(() => expect(fake.calls).toEqual(['close'])), never]);
    client.renew();
    await pass(1);
    expect(fake.calls).toEqual(['close', 'connect']);
    expect(await ended).toBe('ended');
    expect(await outcomes).toEqual([
      { status: 'rejected', reason: new Error('lost') },
      { status: 'rejected', reason: expect.any(ViewsUnavailable) },
    ]);
  });

  it('is connected anew though closing it fails', async () => {
    fake.closes = () => Promise.reject(new Error('timed out'));
    const never = expect(client.unlessRenewed(new Promise(() => {}))).rejects.toThrow(ViewsUnavailable);
    client.renew();
    await pass(1);
    await never;
    expect(fake.calls).toEqual(['close', 'end', 'connect']);
    await pass(600);
    expect(fake.calls).toHaveLength(3);
  });

  it('is connected anew though closing it comes to no end, and once more where it does so late', async () => {
    let ends = (): void => {};
    const late = new Promise<void>((resolve) => (ends = resolve));
    fake.closes = () => late;
    const never = expect(client.unlessRenewed(new Promise(() => {}))).rejects.toThrow(ViewsUnavailable);
    client.renew();
    await pass(4);
    expect(fake.calls).toEqual(['close']);
    await pass(2);
    await never;
    expect(fake.calls).toEqual(['close', 'end', 'connect']);
    fake.closes = undefined;
    ends();
    await pass(1);
    expect(fake.calls.slice(3)).toEqual(['close', 'connect']);
    expect(fake.topology).toBeDefined();
    await pass(600);
    expect(fake.calls).toHaveLength(5);
  });

  it('is not connected again where what closes it for good comes to no end, or fails', async () => {
    for (const closes of [() => new Promise<void>(() => {}), () => Promise.reject(new Error('timed out'))]) {
      fake = new FakeClient();
      fake.closes = closes;
      const one = new RenewedClient(fake as unknown as MongoClient);
      one.renew();
      const closing = one.close();
      await pass(10);
      await closing;
      expect([fake.calls.includes('connect'), fake.topology]).toEqual([false, undefined]);
    }
  });

  it('is connected anew where a command of the writer is never answered, and the next one goes to the server', async () => {
    const answers: (() => Promise<null>)[] = [() => new Promise(() => {}), () => Promise.reject(new Error('asked'))];
    const database = { collection: () => ({ findOne: () => answers.shift()!() }) } as unknown as Db;
    const large = new LargeValues(database, []);
    const journal = new Journal(database, large, undefined);
    const outage = new Outage<Way>({});
    const writes = new GroupWrites({ client, database, large, journal, outage }, {});
    const stuck = expect(writes.takeLease()).rejects.toThrow(ViewsUnavailable);
    const next = expect(writes.takeLease()).rejects.toThrow('asked');
    await pass(60);
    expect([fake.calls, outage.isLost('write')]).toEqual([[], true]);
    await pass(61);
    expect(fake.calls).toEqual(['close', 'connect']);
    await Promise.all([stuck, next]);
  });
});
