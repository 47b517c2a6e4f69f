import { describe, expect, it } from 'vitest';
import { receivedStream, sentStream, textOfSent } from '#devices/facts/to-device-facts';
import type { DeviceId, UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { textOfEdu } from '../sending/missed-by-destination.js';
import { splitMessages } from './split-messages.js';

const ALICE = '@alice:a.example' as UserId;
const STREAM = sentStream([ALICE, 'A' as DeviceId]);

/** A fact that tells each receiver a content of its own. */
function sent(id: string, to: readonly (readonly [string, string])[], contents: readonly object[], stream = STREAM) {
  const receivers = to.map(([userId, deviceId], n) => [userId as UserId, deviceId as DeviceId, n] as const);
  const texts = contents.map((content) => JSON.stringify(content));
  const { data, erasable } = textOfSent({ type: 'm.test', txn: 't' }, receivers, texts);
  return { id, stream, data, metadata: { at: 1, actor: ALICE, schema: 1, chain: '', erasable } };
}

const contentsOf = (fact: ReturnType<typeof sent>, server: string): JsonObject[] =>
  ([...splitMessages(fact)].find(([name]) => name === server)?.[1] ?? []).map(({ content }) => content);

describe('what is sent to devices of other servers', () => {
  it('is told to each server alone, and what is for devices here to none', () => {
    const to = [['@b:b.example', 'B'], ['@a:a.example', 'X'], ['@b:b.example', '*'], ['@c:c.example', 'C']] as const; // prettier-ignore
    const fact = sent('1', to, [{ n: 0 }, { n: 1 }, { n: 2 }, { n: 3 }]);
    expect([...splitMessages(fact).keys()]).toEqual(['b.example', 'c.example']);
    const [forB] = contentsOf(fact, 'b.example');
    expect(forB).toMatchObject({
      sender: ALICE,
      type: 'm.test',
      messages: { '@b:b.example': { B: { n: 0 }, '*': { n: 2 } } },
    });
    expect(String(forB!['message_id']).length).toBeLessThanOrEqual(32);
  });

  it('has the same ids whenever it is told, and others for every fact, server and part', () => {
    const to = [['@b:b.example', 'B'], ['@c:c.example', 'C']] as const; // prettier-ignore
    const idsOf = (id: string): unknown[] =>
      ['b.example', 'c.example'].flatMap((server) =>
        contentsOf(sent(id, to, [{ n: 0 }, { n: 1 }]), server).map(({ message_id: messageId }) => messageId),
      );
    expect(idsOf('1')).toEqual(idsOf('1'));
    expect(new Set([...idsOf('1'), ...idsOf('2')]).size).toBe(4);
  });

  it('goes in parts of 65,536 bytes at most, in order, and what has more by itself goes alone', () => {
    const to = Array.from({ length: 60 }, (_, n) => [`@b${n % 7}é:b.example`, `"D${n}"`] as const);
    const contents = to.map((_, n) => ({ n, text: 'ü'.repeat(n === 30 ? 40_000 : (n * 731) % 12_000) }));
    const fact = sent('1', to, contents);
    const edus = splitMessages(fact).get('b.example' as never)!;
    const numbers = edus.map(({ content }) =>
      Object.values(content['messages'] as Record<string, Record<string, { n: number }>>)
        .flatMap((devices) => Object.values(devices).map(({ n }) => n))
        .toSorted((a, b) => a - b),
    );
    expect(numbers.flat()).toEqual(to.map((_, n) => n));
    expect(numbers).toContainEqual([30]);
    const sizes = edus.map((edu) => Buffer.byteLength(textOfEdu(edu)));
    expect(sizes.filter((bytes) => bytes > 65_536)).toHaveLength(1);
    // As full as they can be: two that follow each other do not fit into one.
    for (let i = 1; i < sizes.length; i++) expect(sizes[i - 1]! + sizes[i]!).toBeGreaterThan(65_536);
    expect(new Set(edus.map(({ content }) => content['message_id'])).size).toBe(edus.length);
  });

  it('is nothing of what another server told us', () => {
    const stream = receivedStream('@b:b.example' as UserId);
    expect(splitMessages(sent('1', [['@alice:a.example', 'A']], [{}], stream)).size).toBe(0);
  });
});
