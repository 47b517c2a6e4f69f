import { assert, pre, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NewFact } from './event-store.js';
import { sealFacts, verifyChain, type UnsealedFact } from './seal-facts.js';

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
      '6015d636180e2a2f82dc2d43fd8a534a9b22c11b6d23cd11fbf7b367b510f7ad',
      '5bd9250d5a708c43bfeb079a2bdcca098297da27de9840812d8ab20b62bf1b40',
    ]);
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
