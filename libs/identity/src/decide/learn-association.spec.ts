import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ServerName, UserId } from '#kernel/ids';
import type { IdentityFact } from '../facts/identity-facts.js';
import { decideAssociation, decideEnd, foldAssociation, type Holder, NO_HOLDER } from './association.js';
import { decideEndLearnt, decideLearnt, type ToldAssociation, type ToldEnd } from './learn-association.js';

const OF = { medium: 'email', address: 'bob@mail.example' } as const;
const [A, B] = ['a.example' as ServerName, 'b.example' as ServerName];
const [ALICE, BOB] = ['@alice:a.example' as UserId, '@bob:b.example' as UserId];

type Told = { readonly made: ToldAssociation } | { readonly end: ToldEnd };

const made = (ts: number, by: ServerName, mxid: UserId): Told => ({
  made: { mxid, ts, not_before: ts, not_after: ts + 1, by, of: OF, signatures: {} },
});
const end = (of: { ts: number; by: ServerName }, mxid: UserId, by: ServerName, ts = of.ts + 1): Told => ({
  end: { mxid, made: of, ts, by },
});

function factsOf(holder: Holder, told: Told): IdentityFact[] {
  return 'made' in told ? decideLearnt(holder, told.made) : decideEndLearnt(holder, told.end);
}

function after(told: readonly Told[], from: Holder = NO_HOLDER): Holder {
  const foldAll = (holder: Holder, facts: readonly IdentityFact[]): Holder =>
    facts.reduce((state, { type, data }) => foldAssociation(state, { type, data: JSON.stringify(data) }), holder);
  return told.reduce((holder, one) => foldAll(holder, factsOf(holder, one)), from);
}

describe('what identity servers say of an identifier', () => {
  it('counts by its time, and by the name of who says it where that is the same', () => {
    expect(after([made(1, A, ALICE), made(2, B, BOB)]).mxid).toBe(BOB);
    expect(after([made(2, B, BOB), made(1, A, ALICE)]).mxid).toBe(BOB);
    expect(after([made(1, A, ALICE), made(1, B, BOB)]).mxid).toBe(BOB);
  });

  it('stays ended once it was, and is not what was before', () => {
    const ended = end({ ts: 2, by: B }, BOB, B);
    for (const told of [
      [made(1, A, ALICE), made(2, B, BOB), ended],
      [ended, made(2, B, BOB), made(1, A, ALICE)],
      [made(1, A, ALICE), ended],
    ]) {
      expect(after(told).mxid).toBeUndefined();
      expect(after([...told, made(3, A, ALICE)]).mxid).toBe(ALICE);
    }
  });

  it('is ended by whichever of them was asked to, and by nobody for another', () => {
    expect(after([made(2, A, ALICE), end({ ts: 2, by: A }, ALICE, B)]).mxid).toBeUndefined();
    expect(after([made(2, A, ALICE), end({ ts: 1, by: A }, ALICE, B)]).mxid).toBe(ALICE);
    expect(after([made(2, A, ALICE), end({ ts: 1, by: B }, BOB, B, 9)]).mxid).toBe(ALICE);
  });

  it('names the identifier of an end where it was somebody’s, and only there', () => {
    const known = after([made(1, A, ALICE)]);
    expect(factsOf(known, end({ ts: 1, by: A }, ALICE, A))).toMatchObject([{ data: { of: OF } }]);
    expect(factsOf(known, end({ ts: 2, by: B }, BOB, B))).toMatchObject([{ data: { of: OF } }]);
    expect(factsOf(NO_HOLDER, end({ ts: 1, by: A }, ALICE, A))).toMatchObject([{ data: { of: null } }]);
  });

  it('is behind what is said here after it was heard', () => {
    const known = after([made(100, B, BOB)]);
    const [own] = decideAssociation(known, OF, ALICE, { by: A, now: 5 });
    expect(own).toMatchObject({ data: { ts: 101, mxid: ALICE } });
    expect(decideEnd(known, OF, BOB, { by: A, now: 5 })).toMatchObject([{ data: { ts: 101, by: A } }]);
  });

  it('comes to the same for everybody, in whatever order and however often it is heard', () => {
    const server = fc.constantFrom(A, B, 'c.example' as ServerName);
    const making = fc.record({ ts: fc.integer({ min: 1, max: 4 }), by: server });
    // One server makes one thing at a time.
    const whose = ({ ts, by }: { ts: number; by: ServerName }): UserId => `@${ts}:${by}` as UserId;
    const told: fc.Arbitrary<Told> = fc.oneof(
      making.map((one) => made(one.ts, one.by, whose(one))),
      fc.tuple(making, server).map(([one, by]) => end(one, whose(one), by)),
    );
    const visible = ({ mxid, made: last }: Holder) => ({ mxid, last });
    fc.assert(
      fc.property(
        fc
          .array(told, { maxLength: 8 })
          .chain((all) =>
            fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }), fc.shuffledSubarray(all)),
          ),
        ([all, others, some]) => {
          expect(visible(after([...others, ...some]))).toEqual(visible(after(all)));
          const facts = all.flatMap((one) => factsOf(after(all), one));
          expect(facts).toEqual([]);
        },
      ),
    );
  });
});
