import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ServerName, UserId } from '#kernel/ids';
import type { IdentityFact } from '../facts/identity-facts.js';
import { decideAssociation, decideEnd, foldAssociation, type Holder, NO_HOLDER } from './association.js';
import { decideEndLearnt, decideLearnt, isOvertaken, type ToldAssociation, type ToldEnd } from './learn-association.js';

const OF = { medium: 'email', address: 'bob@mail.example' } as const;
const [A, B] = ['a.example' as ServerName, 'b.example' as ServerName];
const [ALICE, BOB] = ['@alice:a.example' as UserId, '@bob:b.example' as UserId];

type Told = { readonly made: ToldAssociation } | { readonly end: ToldEnd };
interface Known {
  readonly holder: Holder;
  /** Of what it is known that it is over. */
  readonly over: readonly string[];
}

const NOTHING: Known = { holder: NO_HOLDER, over: [] };
const idOf = (ts: number, by: ServerName): string => `${ts} ${by}`;

const made = (ts: number, by: ServerName, mxid: UserId): Told => ({
  made: { association_id: idOf(ts, by), mxid, ts, not_before: ts, not_after: ts + 1, by, of: OF, signatures: {} },
});
const end = (of: { ts: number; by: ServerName }, by: ServerName, ts = of.ts + 1): Told => ({
  end: { association_id: idOf(of.ts, of.by), ts, by },
});

function factsOf({ holder, over }: Known, told: Told): IdentityFact[] {
  if ('end' in told) return decideEndLearnt(holder, told.end);
  return decideLearnt(holder, told.made, over.includes(told.made.association_id));
}

function after(told: readonly Told[], from: Known = NOTHING): Known {
  return told.reduce((known, one) => {
    const facts = factsOf(known, one);
    const fold = (state: Holder, { type, data }: IdentityFact): Holder =>
      foldAssociation(state, { type, data: JSON.stringify(data) });
    const over = 'end' in one ? [...known.over, one.end.association_id] : known.over;
    return { holder: facts.reduce(fold, known.holder), over };
  }, from);
}
const ownerAfter = (told: readonly Told[]): UserId | undefined => after(told).holder.mxid;

describe('what identity servers say of an identifier', () => {
  it('counts by its time, and by the name of who says it where that is the same', () => {
    expect(ownerAfter([made(1, A, ALICE), made(2, B, BOB)])).toBe(BOB);
    expect(ownerAfter([made(2, B, BOB), made(1, A, ALICE)])).toBe(BOB);
    expect(ownerAfter([made(1, A, ALICE), made(1, B, BOB)])).toBe(BOB);
  });

  it('stays ended once it was, and is not what was before', () => {
    const ended = end({ ts: 2, by: B }, B);
    for (const told of [
      [made(1, A, ALICE), made(2, B, BOB), ended],
      [ended, made(2, B, BOB), made(1, A, ALICE)],
      [made(1, A, ALICE), ended, made(2, B, BOB)],
    ]) {
      expect(ownerAfter(told)).toBeUndefined();
      expect(ownerAfter([...told, made(3, A, ALICE)])).toBe(ALICE);
    }
  });

  it('is ended by whichever of them was asked to, and by nobody for another', () => {
    expect(ownerAfter([made(2, A, ALICE), end({ ts: 2, by: A }, B)])).toBeUndefined();
    expect(ownerAfter([made(2, A, ALICE), end({ ts: 1, by: A }, B)])).toBe(ALICE);
    expect(ownerAfter([made(2, A, ALICE), end({ ts: 1, by: B }, B, 9)])).toBe(ALICE);
  });

  it('is not kept of what is over, where that was known before', () => {
    const known = after([made(1, A, ALICE), end({ ts: 2, by: B }, B)]);
    const facts = factsOf(known, made(2, B, BOB));
    expect(facts).toMatchObject([
      { type: 'association-end-learnt', data: { association_id: idOf(1, A) } },
      { type: 'association-learnt', data: { association_id: idOf(2, B), of: null } },
    ]);
    expect(JSON.stringify(facts)).not.toMatch(/mail\.example|@bob|signatures/);
  });

  it('is behind what is said here after it was heard, which ends it', () => {
    const known = after([made(100, B, BOB)]).holder;
    const wanted = { id: 'own', of: OF, mxid: ALICE };
    expect(decideAssociation(known, wanted, { by: A, now: 5 })).toMatchObject([
      { type: 'association-ended', data: { association_id: idOf(100, B), ts: 101, by: A } },
      { type: 'association-made', data: { association_id: 'own', ts: 101, mxid: ALICE } },
    ]);
    expect(decideEnd(known, BOB, { by: A, now: 5 })).toMatchObject([{ data: { ts: 101, by: A } }]);
    expect(decideEnd(known, ALICE, { by: A, now: 5 })).toEqual([]);
  });

  it('is over for all where what was made here is newer, also where that has ended', () => {
    const fold = (holder: Holder, facts: readonly IdentityFact[]): Holder =>
      facts.reduce((state, { type, data }) => foldAssociation(state, { type, data: JSON.stringify(data) }), holder);
    const own = fold(NO_HOLDER, decideAssociation(NO_HOLDER, { id: 'own', of: OF, mxid: ALICE }, { by: A, now: 5 }));
    const ended = fold(own, decideEnd(own, ALICE, { by: A, now: 6 }));
    for (const holder of [own, ended]) {
      expect(isOvertaken(holder, { ts: 4, by: B })).toBe(true);
      expect(isOvertaken(holder, { ts: 6, by: B })).toBe(false);
    }
    expect(isOvertaken(after([made(5, B, BOB)]).holder, { ts: 4, by: B })).toBe(false);
  });

  it('comes to the same for everybody, in whatever order and however often it is heard', () => {
    const server = fc.constantFrom(A, B, 'c.example' as ServerName);
    const making = fc.record({ ts: fc.integer({ min: 1, max: 4 }), by: server });
    // One server makes one thing at a time.
    const whose = ({ ts, by }: { ts: number; by: ServerName }): UserId => `@${ts}:${by}` as UserId;
    const told: fc.Arbitrary<Told> = fc.oneof(
      making.map((one) => made(one.ts, one.by, whose(one))),
      fc.tuple(making, server).map(([one, by]) => end(one, by)),
    );
    const visible = ({ holder: { mxid, made: last } }: Known) => ({ mxid, last });
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
