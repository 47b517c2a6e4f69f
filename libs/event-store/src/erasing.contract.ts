import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Position } from '#kernel/position';
import { NotErasable } from './event-store-errors.js';
import type { EventStore, NewFact, RecordedFact } from './event-store.js';
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
import { sealFacts, verifyChain } from './seal-facts.js';

const TAIL = '"what was said"}';
const LEFT = 'null}';

/** Facts of one stream, linked to each other, each with a tail that may be erased. */
function erasableFacts(count: number, tail = TAIL): NewFact[] {
  return sealFacts(
    undefined,
    Array.from({ length: count }, (_, n) => {
      const head = `{"n":${n},"text":`;
      return {
        id: randomUUID(),
        type: 'said',
        data: head + tail,
        erasable: head.length,
        at: 1_700_000_000_000 + n,
        actor: '@zoë:example.org',
      };
    }),
  );
}

const tailsOf = (facts: readonly RecordedFact[]) => facts.map(({ data, metadata }) => data.slice(metadata.erasable));

function holds(facts: readonly RecordedFact[]): boolean {
  return facts.every((fact, n) => verifyChain(facts[n - 1]?.metadata.chain, fact));
}

/** What every adapter must do when content goes. */
export function describeErasing(store: () => EventStore, opened: () => OpenedStore): void {
  /** Looks at a stream by every way to read, and at the log behind a position. */
  async function expectEverywhere(stream: string, expected: readonly RecordedFact[], behind: Position): Promise<void> {
    const places = (facts: readonly RecordedFact[]) => facts.filter((fact) => fact.stream === stream);
    expect(await readAllOf(store(), stream)).toEqual(expected);
    expect(await readAllOf(store(), stream, { backwards: true })).toEqual(expected.toReversed());
    expect(places(await readFrom(store(), behind, 7))).toEqual(expected);
    const live = gather(store(), behind, noPause);
    await live.until((await readFrom(store(), behind)).length);
    await live.stop();
    expect(places(live.facts)).toEqual(expected);
  }

  describe('erase', () => {
    it('puts another tail in the place of the first, for every reader, and the chain holds', async () => {
      const stream = streamName();
      const behind = await store().head();
      await store().append(stream, 'no-stream', erasableFacts(5));
      const before = await readAllOf(store(), stream);
      const head = await store().head();
      await store().erase(stream, 2, LEFT);
      const after = await readAllOf(store(), stream);
      expect(tailsOf(after)).toEqual([TAIL, TAIL, LEFT, TAIL, TAIL]);
      const { data, metadata } = before[2]!;
      const erased = { ...metadata, erased: after[2]!.metadata.erased };
      const expected = { ...before[2]!, data: data.slice(0, metadata.erasable) + LEFT, metadata: erased };
      expect(after).toEqual(before.with(2, expected));
      expect(holds(after)).toBe(true);
      await expectEverywhere(stream, after, behind);
      expect(await store().head()).toBe(head);
      expect((await store().findLast())?.id).toBe(after[4]!.id);
    });

    it('changes nothing when it is done again, and what is left can be erased too', async () => {
      const stream = streamName();
      await store().append(stream, 'no-stream', erasableFacts(1));
      await store().erase(stream, 0, LEFT);
      const once = await readAllOf(store(), stream);
      await store().erase(stream, 0, LEFT);
      expect(await readAllOf(store(), stream)).toEqual(once);
      await store().erase(stream, 0, '1}');
      const twice = await readAllOf(store(), stream);
      expect(tailsOf(twice)).toEqual(['1}']);
      expect(twice[0]!.metadata).toEqual(once[0]!.metadata);
      expect(holds(twice)).toBe(true);
    });

    it('takes a longer tail, and one of a large fact', async () => {
      const stream = streamName();
      const facts = erasableFacts(2, `"${'🦊'.repeat(50_000)}"}`);
      await store().append(stream, 'no-stream', facts);
      await store().erase(stream, 0, LEFT);
      await store().erase(stream, 1, `"${'x'.repeat(150_000)}"}`);
      const found = await readAllOf(store(), stream);
      expect(tailsOf(found).map((tail) => tail.length)).toEqual([LEFT.length, 150_003]);
      expect(holds(found)).toBe(true);
    });

    it('refuses a fact without a tail, one that is not there and what would be no JSON', async () => {
      const stream = streamName();
      await store().append(stream, 'no-stream', [someFact('{"n":1}')]);
      await store().append(stream, 0, erasableFacts(1));
      const before = await readAllOf(store(), stream);
      await expect(store().erase(stream, 0, LEFT)).rejects.toBeInstanceOf(NotErasable);
      await expect(store().erase(stream, 2, LEFT)).rejects.toBeInstanceOf(NotErasable);
      await expect(store().erase(streamName(), 0, LEFT)).rejects.toBeInstanceOf(NotErasable);
      await expect(store().erase(stream, 1, 'null')).rejects.toBeInstanceOf(RangeError);
      expect(await readAllOf(store(), stream)).toEqual(before);
    });

    it('takes many at once, and what one of them is refused for is no matter of the others', async () => {
      const stream = streamName();
      await store().append(stream, 'no-stream', erasableFacts(20));
      const tails: string[] = Array.from({ length: 21 }, (_, n) => (n === 7 ? 'null' : n % 2 === 0 ? LEFT : '1}'));
      const outcomes = await Promise.allSettled(tails.map((tail, n) => store().erase(stream, n, tail)));
      expect(outcomes.map(({ status }) => status === 'fulfilled')).toEqual(tails.map((_, n) => n !== 7 && n !== 20));
      expect(outcomes[7]).toMatchObject({ reason: expect.any(RangeError) });
      expect(outcomes[20]).toMatchObject({ reason: expect.any(NotErasable) });
      const after = await readAllOf(store(), stream);
      expect(tailsOf(after)).toEqual(tails.slice(0, 20).with(7, TAIL));
      expect(holds(after)).toBe(true);
      // Of two of the same fact the later one stays.
      await Promise.all([store().erase(stream, 3, '2}'), store().erase(stream, 3, '3}')]);
      expect(tailsOf(await readAllOf(store(), stream))[3]).toBe('3}');
    });

    it('keeps what was erased from subscribers that have not been given it yet', async () => {
      const stream = streamName();
      const after = await store().head();
      let goOn = (): void => {};
      const held = new Promise<void>((resolve) => (goOn = resolve));
      const slow = gather(store(), after, () => held);
      await store().append(stream, 'no-stream', erasableFacts(1));
      await slow.until(1);
      await store().append(stream, 0, erasableFacts(3));
      for (const revision of [1, 2, 3]) await store().erase(stream, revision, LEFT);
      goOn();
      expect(tailsOf(await slow.until(4))).toEqual([TAIL, LEFT, LEFT, LEFT]);
      await slow.stop();
    });

    it('goes on beside appends to the same stream and others', async () => {
      const stream = streamName();
      await store().append(stream, 'no-stream', erasableFacts(30));
      await Promise.all([
        ...Array.from({ length: 30 }, (_, revision) => store().erase(stream, revision, LEFT)),
        ...Array.from({ length: 30 }, () => store().append(streamName(), 'no-stream', someFacts(2))),
        store().append(stream, 29, someFacts(1)),
      ]);
      const found = await readAllOf(store(), stream);
      expect(tailsOf(found.slice(0, 30))).toEqual(Array(30).fill(LEFT));
      expect(found).toHaveLength(31);
    });

    it('takes facts that were erased elsewhere as they are', async () => {
      const [from, to] = [streamName(), streamName()];
      await store().append(from, 'no-stream', erasableFacts(2));
      await store().erase(from, 1, LEFT);
      const erased = await readAllOf(store(), from);
      await store().append(
        to,
        'no-stream',
        erased.map((fact) => ({ ...fact, id: randomUUID() })),
      );
      const copied = await readAllOf(store(), to);
      expect(copied.map(({ data, metadata }) => ({ data, metadata }))).toEqual(
        erased.map(({ data, metadata }) => ({ data, metadata })),
      );
    });

    it('is there after the log was closed and opened again, and for another reader', async ({ skip }) => {
      const { reopen, openReader } = opened();
      if (reopen === undefined || openReader === undefined) skip('this adapter keeps nothing of its own');
      const reader = await openReader!();
      const stream = streamName();
      const behind = await store().head();
      await store().append(stream, 'no-stream', erasableFacts(3));
      expect(tailsOf(await readAllOf(reader, stream))).toEqual([TAIL, TAIL, TAIL]);
      await store().erase(stream, 1, LEFT);
      expect(tailsOf(await readAllOf(reader, stream))).toEqual([TAIL, LEFT, TAIL]);
      await reader.close();
      await reopen!();
      await expectEverywhere(stream, await readAllOf(store(), stream), behind);
      expect(tailsOf(await readAllOf(store(), stream))).toEqual([TAIL, LEFT, TAIL]);
    });
  });

  describe('truncate', () => {
    it('takes the first facts of a stream from every reader, and keeps the places of the others', async () => {
      const [stream, other] = [streamName(), streamName()];
      const behind = await store().head();
      await store().append(stream, 'no-stream', erasableFacts(6));
      await store().append(other, 'no-stream', someFacts(2));
      await store().append(stream, 5, someFacts(2));
      const before = await readAllOf(store(), stream);
      await store().truncate(stream, 3);
      await expectEverywhere(stream, before.slice(3), behind);
      expect(await readAllOf(store(), other)).toHaveLength(2);
      expect((await readAllOf(store(), stream, { from: 1, limit: 2 })).map(({ revision }) => revision)).toEqual([3, 4]);
      expect(await readAllOf(store(), stream, { from: 2, backwards: true })).toEqual([]);
      expect((await readAllOf(store(), stream, { from: 4, backwards: true })).map(({ revision }) => revision)).toEqual([
        4, 3,
      ]);
      const names: string[] = [];
      for await (const name of store().streams({ prefix: stream })) names.push(name);
      expect(names).toEqual([stream]);
    });

    it('lets the stream grow and end where it did', async () => {
      const stream = streamName();
      const { position } = await store().append(stream, 'no-stream', someFacts(4));
      await store().truncate(stream, 3);
      expect(await store().head()).toBe(position);
      expect(await store().findLast()).toMatchObject({ stream, revision: 3 });
      await expect(store().append(stream, 'no-stream', someFacts(1))).rejects.toMatchObject({ actual: 3 });
      expect((await store().append(stream, 3, someFacts(2))).revision).toBe(5);
      expect((await readAllOf(store(), stream)).map(({ revision }) => revision)).toEqual([3, 4, 5]);
    });

    it('changes nothing with an earlier revision, and refuses one that is not there', async () => {
      const stream = streamName();
      await store().append(stream, 'no-stream', erasableFacts(4));
      await store().truncate(stream, 0);
      expect(await readAllOf(store(), stream)).toHaveLength(4);
      await store().truncate(stream, 2);
      for (const before of [2, 1, 0]) await store().truncate(stream, before);
      await expect(store().truncate(stream, 4)).rejects.toBeInstanceOf(RangeError);
      await expect(store().truncate(streamName(), 0)).rejects.toBeInstanceOf(RangeError);
      await expect(store().erase(stream, 1, LEFT)).rejects.toBeInstanceOf(NotErasable);
      expect((await readAllOf(store(), stream)).map(({ revision }) => revision)).toEqual([2, 3]);
    });

    it('takes away a whole batch of facts', async () => {
      const stream = streamName();
      const after = await store().head();
      await store().append(stream, 'no-stream', someFacts(2500));
      await store().truncate(stream, 2499);
      expect((await readFrom(store(), after, 100)).map(({ revision }) => revision)).toEqual([2499]);
      const live = gather(store(), after, noPause);
      expect((await live.until(1)).map(({ revision }) => revision)).toEqual([2499]);
      await live.stop();
    });

    it('is there after the log was closed and opened again, and for another reader', async ({ skip }) => {
      const { reopen, openReader } = opened();
      if (reopen === undefined || openReader === undefined) skip('this adapter keeps nothing of its own');
      const reader = await openReader!();
      const stream = streamName();
      const behind = await store().head();
      await store().append(stream, 'no-stream', someFacts(3));
      const before = await readAllOf(reader, stream);
      await store().truncate(stream, 1);
      expect(await readAllOf(reader, stream)).toEqual(before.slice(1));
      await reader.close();
      await reopen!();
      await expectEverywhere(stream, before.slice(1), behind);
    });
  });
}
