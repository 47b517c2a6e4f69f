import { assert, pre, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NewFact } from './event-store.js';
import { NotErasable } from './event-store-errors.js';
import { eraseTail, sealFacts, verifyChain, type UnsealedFact } from './seal-facts.js';

const first: UnsealedFact = {
  id: '11111111-1111-5111-8111-111111111111',
  type: 'room-created',
  data: '{"n":1.0,"s":"\\u00e9é"}',
  at: 1_700_000_000_000,
  actor: '@zoë:example.org',
  device: 'PHONE',
  correlation: 'req-1',
};
const second: UnsealedFact = {
  id: '22222222-2222-5222-8222-222222222222',
  type: 'said "hi"',
  data: '[]',
  schema: 2,
  at: 1_700_000_000_001,
  actor: 'server',
  causation: first.id,
};

describe('sealFacts', () => {
  it('hashes the documented bytes', () => {
    // Computed with Python's json.dumps(separators=(',', ':'), ensure_ascii=False) and hashlib.
    expect(sealFacts(undefined, [first, second]).map((fact) => fact.metadata.chain)).toEqual([
      '637138d7f89dd7161bf2b8ff44045c087b715a819cecf552a46ec7e0a4381c18',
      '5daa4f897c5f188895faefa529a979bf1bb2c190277825cd81dd58b6e5df2d4c',
    ]);
  });

  it('hashes the documented bytes of a fact with a tail', () => {
    const data = '{"n":1,"s":"é🦊"}';
    expect(sealFacts(undefined, [{ ...first, data, erasable: 11 }])[0]!.metadata.chain).toBe(
      '7160ddc3c0c6c4b5272840a3faca688aa399c1580a2251b9c88d8648e4ace01b',
    );
  });

  it.each([0, -1, 1.5, 17, NaN])('refuses a tail that begins at %s', (erasable) => {
    expect(() => sealFacts(undefined, [{ ...first, data: '{"n":1,"s":"é🦊"}'.slice(0, 17), erasable }])).toThrow(
      RangeError,
    );
  });

  it('seals facts one by one as it seals them together', () => {
    const together = sealFacts(undefined, [first, second]);
    const [one] = sealFacts(undefined, [first]);
    expect([one, ...sealFacts(one!.metadata.chain, [second])]).toEqual(together);
  });

  it('keeps data as it is and takes 1 for the schema that is left out', () => {
    const [fact] = sealFacts(undefined, [first]);
    expect(fact).toMatchObject({ data: first.data, metadata: { schema: 1, at: first.at, device: 'PHONE' } });
  });
});

describe('verifyChain', () => {
  const [one, two] = sealFacts(undefined, [first, second]) as [NewFact, NewFact];
  const changed = (metadata: Partial<NewFact['metadata']>): NewFact => ({
    ...two,
    metadata: { ...two.metadata, ...metadata },
  });

  it('accepts what was sealed, also after a trip through JSON', () => {
    expect(verifyChain(undefined, one)).toBe(true);
    expect(verifyChain(one.metadata.chain, JSON.parse(JSON.stringify(two)) as NewFact)).toBe(true);
  });

  it.each([
    ['id', { ...two, id: first.id }],
    ['type', { ...two, type: 'said' }],
    ['data', { ...two, data: '[ ]' }],
    ['time', changed({ at: 1 })],
    ['actor', changed({ actor: '@mallory:example.org' })],
    ['device', changed({ device: 'OTHER' })],
    ['causation', changed({ causation: undefined })],
    ['correlation', changed({ correlation: 'req-2' })],
    ['schema', changed({ schema: 1 })],
    ['chain', changed({ chain: one.metadata.chain })],
  ])('refuses a fact with another %s', (_, fact) => {
    expect(verifyChain(one.metadata.chain, fact)).toBe(false);
  });

  it('refuses a fact behind another one than it was sealed behind', () => {
    expect(verifyChain(undefined, two)).toBe(false);
    expect(verifyChain(two.metadata.chain, two)).toBe(false);
  });

  it('never takes the end of one part for the beginning of the next', () => {
    const text = string({ unit: 'binary' });
    assert(
      property(text, text, text, text, (type, data, otherType, otherData) => {
        pre(type !== otherType || data !== otherData);
        const [a] = sealFacts(undefined, [{ ...first, type, data }]);
        const [b] = sealFacts(undefined, [{ ...first, type: otherType, data: otherData }]);
        expect(a!.metadata.chain).not.toBe(b!.metadata.chain);
      }),
    );
  });
});

describe('a fact with a tail', () => {
  const head = '{"from":"zoë","text":';
  const draft = { ...first, data: `${head}"hush"}`, erasable: head.length };
  const [one, two] = sealFacts(undefined, [draft, second]) as [NewFact, NewFact];

  it('is linked before and after it is erased, and erased once more', () => {
    const erased = eraseTail(one, 'null}');
    const again = eraseTail(erased, '0}');
    expect([one, erased, again].map(({ data }) => data)).toEqual([`${head}"hush"}`, `${head}null}`, `${head}0}`]);
    for (const fact of [one, erased, again]) expect(verifyChain(undefined, fact)).toBe(true);
    expect(verifyChain(again.metadata.chain, two)).toBe(true);
    expect(eraseTail(erased, 'null}')).toBe(erased);
  });

  it.each([
    ['a tail that was changed without being erased', { ...one, data: `${head}"hash"}` }],
    ['a head that was changed', { ...eraseTail(one, 'null}'), data: '{"from":"bob","text":null}' }],
    ['a tail that is said to begin elsewhere', { ...one, metadata: { ...one.metadata, erasable: head.length - 1 } }],
    ['a tail that is said to be none', { ...one, metadata: { ...one.metadata, erasable: undefined } }],
    ['another hash of the first tail', { ...one, metadata: { ...one.metadata, erased: '0'.repeat(64) } }],
    [
      'a fact without a tail of which one is said to be erased',
      { ...two, metadata: { ...two.metadata, erasable: 1, erased: '0'.repeat(64) } },
    ],
  ])('refuses %s', (_, fact) => {
    expect(verifyChain(fact.id === one.id ? undefined : one.metadata.chain, fact)).toBe(false);
  });

  it('cannot be erased where there is no tail, or where no JSON would be left', () => {
    expect(() => eraseTail(two, 'null}')).toThrow(NotErasable);
    expect(() => eraseTail(one, 'null')).toThrow(RangeError);
  });
});
