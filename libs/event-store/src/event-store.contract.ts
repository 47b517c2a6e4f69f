import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '#kernel/clock';
import type { ServerName } from '#kernel/ids';
import { START } from '#kernel/position';
import {
  RevisionConflict,
  type EventStore,
  type ExpectedRevision,
  type NewFact,
  type RecordedFact,
} from './event-store.js';
import { describeErasing } from './erasing.contract.js';
import { findLogIdentity, nameLog } from './log-identity.js';
import {
  gather,
  noPause,
  type OpenedStore,
  readAllOf,
  readFrom,
  someFact,
  someFacts,
  streamName,
} from './store-under-test.js';

const BIG_FACT_BYTES = 5 * 1024 * 1024;

/** Appends wherever the stream's end is, deciding again after each conflict. Answers the revision reached. */
async function appendAtEnd(
  store: EventStore,
  stream: string,
  believed: ExpectedRevision,
  facts: readonly NewFact[],
): Promise<number> {
  let expected = believed;
  for (;;) {
    try {
      return (await store.append(stream, expected, facts)).revision;
    } catch (error) {
      if (!(error instanceof RevisionConflict)) throw error;
      expected = error.actual;
    }
  }
}

const idsOf = (facts: readonly { id: string }[]) => facts.map((fact) => fact.id);
function expectAscending(facts: readonly RecordedFact[]): void {
  for (let index = 1; index < facts.length; index++)
    expect(facts[index]!.position > facts[index - 1]!.position).toBe(true);
}

/** What every adapter of EventStore must do. */
export function describeEventStore(name: string, open: () => Promise<OpenedStore>): void {
  describe(name, () => {
    let opened: OpenedStore;
    const store = (): EventStore => opened.store;

    beforeAll(async () => {
      opened = await open();
    });
    afterAll(async () => {
      await opened.close();
    });

    describeAppend(store);
    describeReading(store, () => opened);
    describeSubscribing(store, () => opened);
    describeErasing(store, () => opened);
  });
}

function describeAppend(store: () => EventStore): void {
  describe('append', () => {
    it('tells the last fact, and how much of the log lies between two places', async () => {
      const stream = streamName();
      const facts = someFacts(3);
      const first = await store().append(stream, 'no-stream', facts.slice(0, 1));
      const second = await store().append(stream, 0, facts.slice(1));
      expect(await store().findLast()).toEqual({ ...facts[2], stream, ...second });
      const { amount, unit } = store().distance(first.position, second.position);
      expect(amount).toBeGreaterThanOrEqual(2);
      expect(store().distance(START, second.position).amount).toBeGreaterThan(amount);
      const nothing = { amount: 0, unit };
      expect(store().distance(second.position, second.position)).toEqual(nothing);
      expect(store().distance(second.position, first.position)).toEqual(nothing);
    });

    it('counts revisions from 0 and answers where the last fact went', async () => {
      const stream = streamName();
      const first = await store().append(stream, 'no-stream', someFacts(1));
      const second = await store().append(stream, 0, someFacts(3));
      expect([first.revision, second.revision]).toEqual([0, 3]);
      expect(first.position > START && second.position > first.position).toBe(true);
      expect(await store().head()).toBe(second.position);
      expect((await readAllOf(store(), stream)).at(-1)).toMatchObject(second);
    });

    it('lets exactly one of 20 racing writers begin a stream', async () => {
      const stream = streamName();
      const results = await Promise.allSettled(
        Array.from({ length: 20 }, () => store().append(stream, 'no-stream', someFacts(1))),
      );
      expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
      for (const result of results) {
        if (result.status === 'fulfilled') continue;
        expect(result.reason).toBeInstanceOf(RevisionConflict);
        expect(result.reason).toMatchObject({ stream, expected: 'no-stream', actual: 0 });
      }
      expect(await readAllOf(store(), stream)).toHaveLength(1);
    });

    it('says where the stream really is', async () => {
      const stream = streamName();
      await expect(store().append(stream, 4, someFacts(1))).rejects.toMatchObject({ expected: 4, actual: 'no-stream' });
      await store().append(stream, 'no-stream', someFacts(3));
      for (const expected of ['no-stream', 0, 1, 3] as const) {
        await expect(store().append(stream, expected, someFacts(1))).rejects.toMatchObject({ expected, actual: 2 });
      }
    });

    it('loses and doubles nothing when 1000 appends of five writers meet in one stream', async () => {
      const stream = streamName();
      const facts = someFacts(1000);
      await Promise.all(
        Array.from({ length: 5 }, async (_, writer) => {
          let last: ExpectedRevision = 'no-stream';
          for (const fact of facts.slice(writer * 200, writer * 200 + 200)) {
            last = await appendAtEnd(store(), stream, last, [fact]);
          }
        }),
      );
      const found = await readAllOf(store(), stream);
      expect(found.map((fact) => fact.revision)).toEqual(facts.map((_, index) => index));
      expect(new Set(idsOf(found))).toEqual(new Set(idsOf(facts)));
      expectAscending(found);
    });

    it('takes 1000 appends to 100 streams at once', async () => {
      const streams = Array.from({ length: 100 }, streamName);
      await Promise.all(
        streams.map(async (stream) => {
          for (let n = 0; n < 10; n++) await store().append(stream, n === 0 ? 'no-stream' : n - 1, someFacts(1));
        }),
      );
      for (const stream of streams) expect(await readAllOf(store(), stream)).toHaveLength(10);
    });

    it('appends all facts of a call or none', async () => {
      const stream = streamName();
      await store().append(stream, 'no-stream', someFacts(2));
      await expect(store().append(stream, 0, someFacts(5))).rejects.toBeInstanceOf(RevisionConflict);
      expect(await readAllOf(store(), stream)).toHaveLength(2);
    });

    it('answers the same again for the same facts at the same place', async () => {
      const stream = streamName();
      const [first, second] = [someFacts(2), someFacts(3)];
      const answers = [await store().append(stream, 'no-stream', first), await store().append(stream, 1, second)];
      await store().append(stream, 4, someFacts(1));
      expect(await store().append(stream, 'no-stream', first)).toEqual(answers[0]);
      expect(await store().append(stream, 1, second)).toEqual(answers[1]);
      expect(await readAllOf(store(), stream)).toHaveLength(6);
      const racing = someFacts(2);
      const raced = await Promise.all(Array.from({ length: 5 }, () => store().append(stream, 5, racing)));
      expect(new Set(raced.map((appended) => appended.position)).size).toBe(1);
      expect(await readAllOf(store(), stream)).toHaveLength(8);
    });

    it('refuses known facts at another place, and a part of them that is new', async () => {
      const stream = streamName();
      const facts = someFacts(3);
      await store().append(stream, 'no-stream', facts);
      await expect(store().append(stream, 'no-stream', [...facts, someFact()])).rejects.toBeInstanceOf(
        RevisionConflict,
      );
      await expect(store().append(stream, 0, [facts[0]!])).rejects.toBeInstanceOf(RevisionConflict);
      await expect(store().append(stream, 'no-stream', [facts[0]!, someFact()])).rejects.toBeInstanceOf(
        RevisionConflict,
      );
      expect(await readAllOf(store(), stream)).toHaveLength(3);
    });

    it('refuses to append nothing', async () => {
      await expect(store().append(streamName(), 'no-stream', [])).rejects.toBeInstanceOf(RangeError);
    });
  });
}

function describeReading(store: () => EventStore, opened: () => OpenedStore): void {
  describe('reading', () => {
    it.each([
      [
        'floats, exponents and big integers',
        '{"a":1.0,"b":-0.0,"c":1e400,"d":123456789012345678901234567890,"e":1E+2}',
      ],
      ['escapes', String.raw`{"a":"\u00e9\u0000\ud83e\udd8a\ud800\/\\","b":"\t"}`],
      ['text beyond ASCII', '{"grüße":"漢字 🦊 \u2028\u00a0","":"\ufeff"}'],
      ['white space and order of keys', '\n{ "z" : 1 ,\t"a" : [ ] , "a" : 2 }\r\n'],
      ['what is no object', '"🦊"'],
    ])('gives data back byte for byte: %s', async (_, data) => {
      const stream = streamName();
      const fact = someFact(data, 'grüße-🦊');
      const after = await store().head();
      const { position } = await store().append(stream, 'no-stream', [fact]);
      const expected = { ...fact, stream, revision: 0, position };
      expect(await readAllOf(store(), stream)).toEqual([expected]);
      expect(await readFrom(store(), after)).toEqual([expected]);
      const live = gather(store(), after, noPause);
      expect(await live.until(1)).toEqual([expected]);
      await live.stop();
    });

    it('keeps a fact of 5 MB beside small ones', async ({ skip }) => {
      if ((opened().maxAppendBytes ?? Infinity) < BIG_FACT_BYTES) skip('this log is told to take less at once');
      const stream = streamName();
      const big = someFact(JSON.stringify(`${'é'.repeat(100)}${'x'.repeat(BIG_FACT_BYTES)}`));
      const after = await store().head();
      await store().append(stream, 'no-stream', [someFact()]);
      await store().append(stream, 0, [big]);
      await store().append(stream, 1, [someFact()]);
      const found = await readAllOf(store(), stream);
      expect(found.map((fact) => fact.data.length)).toEqual([
        found[0]!.data.length,
        big.data.length,
        found[2]!.data.length,
      ]);
      expect(found[1]!.data === big.data).toBe(true);
      expect((await readFrom(store(), after)).at(-2)!.data === big.data).toBe(true);
      const live = gather(store(), after, noPause);
      expect((await live.until(3))[1]!.data === big.data).toBe(true);
      await live.stop();
    });

    it('tells long and strange stream names apart', async () => {
      const long = `device-@${'a'.repeat(243)}:example.org|${randomUUID()}${'d'.repeat(219)}`;
      const names = [
        `${long}x`,
        `${long}y`,
        `${long}`,
        `alias-#ü/%41 ${randomUUID()}:[::1]:80`,
        `threepid-$${randomUUID()}`,
      ];
      const after = await store().head();
      for (const name of names) await store().append(name, 'no-stream', someFacts(1));
      for (const name of names) expect((await readAllOf(store(), name)).map((fact) => fact.stream)).toEqual([name]);
      expect((await readFrom(store(), after)).map((fact) => fact.stream)).toEqual(names);
    });

    it('reads a stream forwards, backwards and in part', async () => {
      const stream = streamName();
      await store().append(stream, 'no-stream', someFacts(450));
      const revisions = async (options?: Parameters<EventStore['readStream']>[1]) =>
        (await readAllOf(store(), stream, options)).map((fact) => fact.revision);
      const all = Array.from({ length: 450 }, (_, index) => index);
      expect(await revisions()).toEqual(all);
      expect(await revisions({ backwards: true })).toEqual(all.toReversed());
      expect(await revisions({ from: 440 })).toEqual(all.slice(440));
      expect(await revisions({ from: 3, limit: 2 })).toEqual([3, 4]);
      expect(await revisions({ from: 2, backwards: true })).toEqual([2, 1, 0]);
      expect(await revisions({ from: 300, limit: 250, backwards: true })).toEqual(all.slice(51, 301).toReversed());
      expect(await revisions({ backwards: true, limit: 1 })).toEqual([449]);
      expect(await revisions({ from: 450 })).toEqual([]);
      expect(await revisions({ from: 1000, backwards: true, limit: 2 })).toEqual([449, 448]);
      expect(await revisions({ limit: 0 })).toEqual([]);
    });

    it('finds nothing in a stream that is not there', async () => {
      expect(await readAllOf(store(), streamName())).toEqual([]);
      expect(await readAllOf(store(), streamName(), { backwards: true })).toEqual([]);
    });

    it('reads the whole log in batches, in order, exclusively behind a position', async () => {
      const after = await store().head();
      const facts = someFacts(25);
      for (let n = 0; n < 5; n++) await store().append(streamName(), 'no-stream', facts.slice(n * 5, n * 5 + 5));
      const batches: (readonly RecordedFact[])[] = [];
      for await (const batch of store().readAll({ after, batchSize: 10 })) batches.push(batch);
      expect(batches.every((batch) => batch.length > 0 && batch.length <= 10)).toBe(true);
      const found = batches.flat();
      expect(idsOf(found)).toEqual(idsOf(facts));
      expectAscending(found);
      expect(idsOf(await readFrom(store(), found[11]!.position))).toEqual(idsOf(facts.slice(12)));
      expect(await readFrom(store(), await store().head())).toEqual([]);
    });

    it('shows no fact behind a position that a reader has passed', async () => {
      const after = await store().head();
      const live = gather(store(), after, noPause);
      const passed: RecordedFact[] = [];
      const written = new AbortController();
      const reader = (async () => {
        for (let last = after; !written.signal.aborted; await delay(1)) {
          passed.push(...(await readFrom(store(), last, 50)));
          last = passed.at(-1)?.position ?? after;
        }
      })();
      const streams = Array.from({ length: 16 }, streamName);
      await Promise.all(
        streams.map(async (stream) => {
          for (let n = 0; n < 25; n++) await store().append(stream, n === 0 ? 'no-stream' : n * 2 - 1, someFacts(2));
        }),
      );
      written.abort();
      await reader;
      const all = await readFrom(store(), after);
      expect(all).toHaveLength(800);
      expectAscending(all);
      expect(idsOf(await live.until(800))).toEqual(idsOf(all));
      await live.stop();
      expect(idsOf(passed)).toEqual(idsOf(all.slice(0, passed.length)));
    });

    it('serves many readers at once', async () => {
      const after = await store().head();
      const stream = streamName();
      await store().append(stream, 'no-stream', someFacts(300));
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, n) => (n % 2 ? readAllOf(store(), stream) : readFrom(store(), after, 7 + n))),
      );
      for (const answer of answers) expect(idsOf(answer)).toEqual(idsOf(answers[0]!));
      expect(answers[0]).toHaveLength(300);
    });

    it('lists streams, all or by prefix', async () => {
      const kind = `kind${randomUUID()}`;
      const names = [`${kind}-b`, `${kind}-a:ü`, `${kind}-a:x`];
      for (const name of names) await store().append(name, 'no-stream', someFacts(2));
      await store().append(names[0]!, 1, someFacts(1));
      const listed = async (prefix?: string) => {
        const found: string[] = [];
        for await (const name of store().streams(prefix === undefined ? undefined : { prefix })) found.push(name);
        return found.sort();
      };
      expect(await listed(`${kind}-`)).toEqual(names.toSorted());
      expect(await listed(`${kind}-a:`)).toEqual(names.slice(1).toSorted());
      expect(await listed(`${kind}-c`)).toEqual([]);
      expect(await listed()).toEqual(expect.arrayContaining(names));
    });

    it('has everything after it was closed and opened again', async ({ skip }) => {
      const { reopen } = opened();
      if (reopen === undefined) skip('this adapter keeps nothing of its own');
      const stream = streamName();
      const facts = someFacts(10);
      const appended = await store().append(stream, 'no-stream', facts);
      await reopen!();
      expect(await store().head()).toBe(appended.position);
      expect(idsOf(await readAllOf(store(), stream))).toEqual(idsOf(facts));
      expect((await store().append(stream, 9, someFacts(1))).position > appended.position).toBe(true);
      expect(await store().append(stream, 'no-stream', facts)).toEqual(appended);
    });

    it('lets another process read what is being written', async ({ skip }) => {
      const { openReader } = opened();
      if (openReader === undefined) skip('this adapter has no second reader');
      const reader = await openReader!();
      try {
        const after = await reader.head();
        const live = gather(reader, after, noPause);
        const stream = streamName();
        for (let n = 0; n < 40; n++) await store().append(stream, n === 0 ? 'no-stream' : n * 5 - 1, someFacts(5));
        expect(await reader.head()).toBe(await store().head());
        const all = await readAllOf(store(), stream);
        expect(await readAllOf(reader, stream)).toEqual(all);
        expect(await live.until(200)).toEqual(all);
        await live.stop();
      } finally {
        await reader.close();
      }
    });
  });
}

function describeSubscribing(store: () => EventStore, opened: () => OpenedStore): void {
  describe('subscribing', () => {
    it('delivers what is there, then what comes, from the middle', async () => {
      const stream = streamName();
      const facts = someFacts(30);
      const { position } = await store().append(stream, 'no-stream', facts.slice(0, 10));
      await store().append(stream, 9, facts.slice(10, 20));
      const live = gather(store(), position, noPause);
      await live.until(10);
      for (let n = 20; n < 30; n++) await store().append(stream, n - 1, [facts[n]!]);
      expect(idsOf(await live.until(20))).toEqual(idsOf(facts.slice(10)));
      expectAscending(live.facts);
      await live.stop();
    });

    it('delivers from the very first fact on', async () => {
      const { position } = await store().append(streamName(), 'no-stream', someFacts(1));
      const expected = await readFrom(store(), START);
      const live = gather(store(), START, noPause);
      expect(idsOf(await live.until(expected.length))).toEqual(idsOf(expected));
      expect(live.facts.at(-1)!.position).toBe(position);
      await live.stop();
    });

    it('delivers the same to each of many subscribers', async () => {
      const after = await store().head();
      const lives = Array.from({ length: 8 }, () => gather(store(), after, noPause));
      const facts = someFacts(200);
      await Promise.all(facts.map((fact) => store().append(streamName(), 'no-stream', [fact])));
      const all = idsOf(await readFrom(store(), after));
      for (const live of lives) {
        expect(idsOf(await live.until(200))).toEqual(all);
        await live.stop();
      }
    });

    it('loses nothing for a slow subscriber', async () => {
      const after = await store().head();
      const slow = gather(store(), after, () => delay(20));
      const stream = streamName();
      const facts = someFacts(10_000);
      for (let n = 0; n < 10_000; n += 100) {
        await store().append(stream, n === 0 ? 'no-stream' : n - 1, facts.slice(n, n + 100));
      }
      expect(idsOf(await slow.until(10_000))).toEqual(idsOf(facts));
      await slow.stop();
    });

    it('goes on behind the last fact delivered when the connection drops', async ({ skip }) => {
      const { dropConnections } = opened();
      if (dropConnections === undefined) skip('this adapter has no connection to lose');
      const after = await store().head();
      const live = gather(store(), after, noPause);
      const stream = streamName();
      const facts = someFacts(60);
      for (let n = 0; n < 60; n++) {
        await store().append(stream, n === 0 ? 'no-stream' : n - 1, [facts[n]!]);
        if (n % 20 === 10) {
          await live.until(n);
          dropConnections!();
        }
      }
      expect(idsOf(await live.until(60))).toEqual(idsOf(facts));
      await delay(100);
      expect(live.facts).toHaveLength(60);
      await live.stop();
    });

    it('ends when it is aborted, while it waits or before it began', async () => {
      const live = gather(store(), await store().head(), noPause);
      await delay(50);
      await live.stop();
      const before = gather(store(), START, noPause);
      await before.stop();
      const aborted: RecordedFact[] = [];
      for await (const batch of store().subscribe({ after: START, signal: AbortSignal.abort() }))
        aborted.push(...batch);
      expect(aborted).toEqual([]);
    });

    it('ends between two batches when it is aborted in the middle of the log', async () => {
      await store().append(streamName(), 'no-stream', someFacts(1500));
      const abort = new AbortController();
      let batches = 0;
      for await (const batch of store().subscribe({ after: START, signal: abort.signal })) {
        expect(batch.length).toBeGreaterThan(0);
        batches++;
        abort.abort();
      }
      expect(batches).toBe(1);
    });

    it('can be left with break', async () => {
      const { position } = await store().append(streamName(), 'no-stream', someFacts(1));
      const seen: string[] = [];
      for await (const batch of store().subscribe({ after: START, signal: new AbortController().signal })) {
        seen.push(batch[0]!.position);
        break;
      }
      expect(seen).toHaveLength(1);
      expect(seen[0]! <= position).toBe(true);
    });
  });

  describe('a log', () => {
    it('is named once, however many processes do it at once, and says so to all', async () => {
      const key = { key_id: 'ed25519:a', public_key: 'AAAA' };
      const names = ['a.example', 'b.example', 'c.example'];
      const told = await Promise.all(names.map((name) => nameLog(store(), systemClock, name as ServerName, key)));
      const identity = await findLogIdentity(store());
      expect(identity?.logId).toMatch(/^[0-9a-f-]{36}$/);
      expect(told).toEqual([identity, identity, identity]);
    });
  });
}
