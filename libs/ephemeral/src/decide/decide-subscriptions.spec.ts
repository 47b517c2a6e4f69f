import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RecordedFact } from '#event-store/event-store';
import type { UserId } from '#kernel/ids';
import type { Views } from '#projections/views';
import { MemoryReadModels } from '#testing/memory-read-models';
import { applyFacts, recordFacts } from '#testing/project';
import {
  findOverSubscriptions,
  keyOfSubscriptionFact,
  readSubscriptionFact,
  type SubscriptionFact,
  subscriptionsStream,
} from '../facts/subscription-facts.js';
import {
  PRESENCE_LISTS,
  PRESENCE_SUBSCRIBERS,
  presenceListsProjector,
} from '../projections/presence-lists.projector.js';
import {
  accept,
  ask,
  decline,
  drop,
  endAll,
  evolveRelations,
  group,
  hasNoRoomFor,
  noteAccepted,
  noteAsked,
  noteAskedInVain,
  noteDropped,
  noteRefused,
} from './decide-subscriptions.js';
import { isNone, Relations } from './relations.js';

const BOB = '@bob:b.example' as UserId;
const other = (n: number): UserId => `@other${n}:b.example` as UserId;

type Decide = (relations: Relations) => readonly SubscriptionFact[];

const after = (facts: readonly SubscriptionFact[], relations = Relations.none): Relations =>
  facts.reduce((now, { type, data }) => evolveRelations(now, { type, data: JSON.stringify(data) }), relations);
/** What comes of some steps, one upon the other. */
const given = (...steps: readonly Decide[]): Relations =>
  steps.reduce((now, step) => after(step(now), now), Relations.none);
const typesOf = (facts: readonly SubscriptionFact[]): string[] => facts.map(({ type }) => type);

const asks: Decide = (now) => ask(now, BOB, 1);
const drops: Decide = (now) => drop(now, BOB, 0);
const accepts: Decide = (now) => accept(now, BOB);
const isAsked: Decide = (now) => noteAsked(now, BOB, 1);
const isAskedAgain: Decide = (now) => noteAsked(now, BOB, 2);
const isAccepted: Decide = (now) => noteAccepted(now, BOB);

describe('a presence list', () => {
  it('has whom its owner asked, with their permission once they give it, until it is dropped', () => {
    expect(given(asks).get(BOB)).toEqual({ listed: 'asked', list_ask: 1 });
    expect(given(asks, isAccepted).get(BOB)).toEqual({ listed: 'accepted', list_ask: 1 });
    expect(asks(given(asks))).toEqual([]);
    expect([...given(asks, isAccepted, drops)]).toEqual([]);
    expect(drops(Relations.none)).toEqual([]);
  });

  it('is not joined by who was never asked, nor by who was dropped meanwhile', () => {
    expect(isAccepted(Relations.none)).toEqual([]);
    expect(isAccepted(given(asks, drops))).toEqual([]);
    expect(isAccepted(given(asks, isAccepted))).toEqual([]);
  });

  it('loses who refuses, or takes back what they gave', () => {
    for (const before of [given(asks), given(asks, isAccepted)]) {
      expect(noteRefused(before, BOB)).toEqual([
        { type: 'subscription-ended', data: { user_id: BOB, by: 'other', ask: 1 } },
      ]);
    }
    expect(noteRefused(Relations.none, BOB)).toEqual([]);
  });

  it('has groups, each named once, as long as somebody is on it', () => {
    const grouped = given(asks, (now) => group(now, BOB, ['work', 'family', 'work']));
    expect(grouped.get(BOB)).toEqual({ listed: 'asked', list_ask: 1, groups: ['family', 'work'] });
    expect(group(grouped, BOB, ['family', 'work'])).toEqual([]);
    expect(after(group(grouped, BOB, []), grouped).get(BOB)).toEqual({ listed: 'asked', list_ask: 1 });
    expect(given(asks, (now) => group(now, BOB, ['work']), drops, asks).get(BOB)).toEqual({
      listed: 'asked',
      list_ask: 3,
    });
    expect(() => group(Relations.none, BOB, ['work'])).toThrow(expect.objectContaining({ errcode: 'M_NOT_FOUND' }));
  });

  it('has room for a thousand', () => {
    const full = given(
      ...Array.from(
        { length: 1_000 },
        (_, n): Decide =>
          (now) =>
            ask(now, other(n), 1),
      ),
    );
    expect(() => asks(full)).toThrow(expect.objectContaining({ errcode: 'M_USER_LIMIT_EXCEEDED' }));
  });
});

it('an asking is greater than all before, of whomever, as the clock says or though it was put back', () => {
  const asksAt =
    (now: number, who = BOB): Decide =>
    (relations) =>
      ask(relations, who, now);
  expect(given(asksAt(700)).get(BOB)).toMatchObject({ list_ask: 700 });
  expect(given(asksAt(700), drops, asksAt(5)).get(BOB)).toMatchObject({ list_ask: 702 });
  expect(given(asksAt(700, other(1)), asksAt(700)).get(BOB)).toMatchObject({ list_ask: 701 });
  expect(given(asksAt(700), drops, asksAt(9_000)).get(BOB)).toMatchObject({ list_ask: 9_000 });
});

it('what is taken back is so though the other knows a later asking, which a log that was put back has lost', () => {
  const [dropped] = drop(given(asks), BOB, 5);
  expect(dropped).toMatchObject({ data: { by: 'owner', ask: 5 } });
  const known = given(
    (now) => noteAsked(now, BOB, 3),
    (now) => accept(now, BOB),
  );
  expect(typesOf(noteDropped(known, BOB, 5))).toEqual(['watcher-ended']);
  expect(
    ask(
      given(asks, (now) => drop(now, BOB, 5)),
      BOB,
      0,
    ),
  ).toMatchObject([{ data: { ask: 6 } }]);
});

it('an answer to an earlier asking is none to what is asked now', () => {
  const again = given(asks, drops, (now) => ask(now, BOB, 3));
  expect([noteAccepted(again, BOB, 1), noteRefused(again, BOB, 1)]).toEqual([[], []]);
  expect(typesOf(noteAccepted(again, BOB, 3))).toEqual(['subscription-accepted']);
  expect(typesOf(noteRefused(again, BOB))).toEqual(['subscription-ended']);
  expect(given(isAsked, (now) => noteAsked(now, BOB, 2)).get(BOB)).toEqual({ watches: 'asked', watch_ask: 2 });
});

describe('who asks to see somebody', () => {
  it('waits until they say so, and hears again that they may', () => {
    expect(given(isAsked).get(BOB)).toEqual({ watches: 'asked', watch_ask: 1 });
    expect(isAsked(given(isAsked))).toEqual([]);
    expect(given(isAsked, accepts).get(BOB)).toEqual({ watches: 'accepted', watch_ask: 1 });
    expect(typesOf(isAsked(given(isAsked, accepts)))).toEqual(['watcher-accepted']);
    expect(accepts(given(isAsked, accepts))).toEqual([]);
    expect(() => accepts(Relations.none)).toThrow(expect.objectContaining({ errcode: 'M_NOT_FOUND' }));
  });

  it('is accepted where there is a reverse subscription, also one that begins later', () => {
    expect(typesOf(isAsked(given(asks, isAccepted)))).toEqual(['watcher-accepted']);
    expect(typesOf(isAsked(given(asks)))).toEqual(['watcher-asked']);
    expect(typesOf(isAccepted(given(asks, isAsked)))).toEqual(['subscription-accepted', 'watcher-accepted']);
  });

  it('may be declined, and what was given be taken back', () => {
    for (const before of [given(isAsked), given(isAsked, accepts)]) {
      expect(decline(before, BOB)).toEqual([{ type: 'watcher-ended', data: { user_id: BOB, by: 'owner', ask: 1 } }]);
      expect(noteDropped(before, BOB)).toEqual([{ type: 'watcher-ended', data: { user_id: BOB, by: 'other' } }]);
    }
    expect([decline(Relations.none, BOB), noteDropped(Relations.none, BOB)]).toEqual([[], []]);
  });

  it('waits once they were declined, though there is a reverse subscription, until they are let in', () => {
    const declined = given(asks, isAccepted, isAsked, (now) => decline(now, BOB));
    expect(isAsked(declined)).toEqual([]); // the same, told again after a crash
    expect(typesOf(isAskedAgain(declined))).toEqual(['watcher-asked']);
    const asking = after(isAskedAgain(declined), declined);
    expect(noteDropped(asking, BOB, 1)).toEqual([]); // of before, too
    expect(typesOf(noteDropped(asking, BOB, 2))).toEqual(['watcher-ended']);
    const dropped = after(noteDropped(asking, BOB), asking);
    expect(typesOf(noteAsked(dropped, BOB, 3))).toEqual(['watcher-asked']);
    const before = given(asks, isAsked, (now) => decline(now, BOB), isAskedAgain);
    expect(typesOf(isAccepted(before))).toEqual(['subscription-accepted']);
    expect(typesOf(isAsked(after(noteDropped(after(accepts(asking), asking), BOB), after(accepts(asking), asking))))).toEqual(['watcher-accepted']); // prettier-ignore
  });

  const hears =
    (note: typeof noteAsked, id?: number): Decide =>
    (now) =>
      note(now, BOB, id);
  const toldTwice = [hears(noteAsked, 1), hears(noteDropped, 1), hears(noteAsked, 2)];

  it('may, and stays refused, though all that they asked before is told once more', () => {
    for (const [answer, watches] of [
      [accepts, 'accepted'],
      [(now: Relations) => decline(now, BOB), undefined],
    ] as const)
      // prettier-ignore
      expect(given(...toldTwice, answer, ...toldTwice).get(BOB)?.watches).toBe(watches);
    expect(hears(noteAsked, 1)(given(...toldTwice, (now) => decline(now, BOB)))).toEqual([]);
    const before = given(...toldTwice, accepts);
    expect([hears(noteAsked, 1)(before), hears(noteDropped, 1)(before)]).toEqual([[], []]);
    expect(typesOf(hears(noteDropped, 2)(before))).toEqual(['watcher-ended']);
  });

  it('does so no more where they dropped what they asked later, of which nothing was told', () => {
    expect(given(isAsked, accepts, hears(noteDropped, 3)).get(BOB)).toBeUndefined();
  });

  it('waits by a later asking alone, and is told of an earlier one without an order as of any', () => {
    expect(given(isAskedAgain, isAsked).get(BOB)).toEqual({ watches: 'asked', watch_ask: 2 });
    expect(given(isAsked, hears(noteAsked)).get(BOB)).toEqual({ watches: 'asked', watch_ask: undefined });
    expect(given(isAsked, hears(noteDropped)).get(BOB)).toBeUndefined();
  });

  it('waits in vain for who ignores them, and sees them no more once they ask anew', () => {
    const allowed = given(isAsked, accepts);
    expect(hears(noteAskedInVain, 1)(allowed)).toEqual([]);
    expect(typesOf(hears(noteAskedInVain, 2)(allowed))).toEqual(['watcher-ended']);
    expect([hears(noteAskedInVain, 2)(Relations.none), hears(noteAskedInVain)(given(hears(noteAsked), accepts))]).toEqual([[], []]); // prettier-ignore
  });

  it('is refused where too many wait, also of one server, and nothing is noted of them', () => {
    const waiting = (number: number, name: (n: number) => UserId): Relations =>
      given(
        ...Array.from(
          { length: number },
          (_, n): Decide =>
            (now) =>
              noteAsked(now, name(n)),
        ),
      );
    const ofOne = waiting(100, other);
    expect(hasNoRoomFor(ofOne, BOB, false)).toBe(true);
    expect(hasNoRoomFor(ofOne, '@bob:c.example' as UserId, false)).toBe(false);
    expect(hasNoRoomFor(ofOne, BOB, true)).toBe(false);
    expect(hasNoRoomFor(ofOne, other(7), false)).toBe(false);
    expect(hasNoRoomFor(after(isAccepted(after(asks(ofOne), ofOne)), after(asks(ofOne), ofOne)), BOB, false)).toBe(
      false,
    );
    const full = waiting(500, (n) => `@other:${n}.example` as UserId);
    expect([hasNoRoomFor(full, BOB, false), hasNoRoomFor(full, BOB, true)]).toEqual([true, true]);
  });
});

describe('a stream of them that is kept short', () => {
  const PEOPLE = [BOB, other(1), other(2)];
  const step = fc.tuple(fc.constantFrom(...PEOPLE), fc.constantFrom('ask', 'drop', 'group', 'accept', 'decline', 'asked', 'accepted', 'refused', 'dropped'), fc.nat(3)); // prettier-ignore
  const decideBy: Readonly<Record<string, (now: Relations, who: UserId, n: number) => readonly SubscriptionFact[]>> = {
    ask: (now, who, n) => ask(now, who, n),
    drop,
    decline,
    group: (now, who, n) => (now.get(who)?.listed ? group(now, who, n === 0 ? [] : [`g${n}`]) : []),
    accept: (now, who) => (now.get(who)?.watches ? accept(now, who) : []),
    asked: (now, who, n) => noteAsked(now, who, n),
    accepted: (now, who) => noteAccepted(now, who),
    refused: (now, who) => noteRefused(now, who),
    dropped: (now, who, n) => noteDropped(now, who, n === 0 ? undefined : n),
  };

  const [OWNER, SHORTLY] = [
    '@owner:a.example' as UserId,
    { pos: undefined, list_told: undefined, watch_told: undefined },
  ];
  /** What views make of facts that stand behind one another. */
  async function rowsOfAll(said: readonly SubscriptionFact[]): Promise<unknown> {
    const rows = new MemoryReadModels();
    await applyFacts(
      presenceListsProjector,
      recordFacts(said.map((fact) => ({ stream: subscriptionsStream(OWNER), ...fact }))),
      rows,
    );
    const relations = PEOPLE.map(async (who) => ({ ...(await PRESENCE_LISTS.get(rows as unknown as Views, [OWNER, who])), ...SHORTLY })); // prettier-ignore
    const following = await PRESENCE_SUBSCRIBERS.scan(rows as unknown as Views, { limit: 99 });
    return [await Promise.all(relations), following];
  }

  it('says the same as before, also to views that have not come to its end, and of each no more than what is said of them in the end', async () => {
    const takes = fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.nat(60), async (steps, passed) => {
      let now = Relations.none;
      const told: SubscriptionFact[] = [];
      for (const [who, act, n] of steps) {
        const facts = decideBy[act]!(now, who, n);
        told.push(...facts);
        now = after(facts, now);
      }
      const counting = new Map<string, RecordedFact>();
      told.forEach(({ type, data }, revision) => {
        const fact = { type, data: JSON.stringify(data), revision } as RecordedFact;
        const key = keyOfSubscriptionFact(fact);
        counting.delete(key);
        counting.set(key, fact);
      });
      for (const key of findOverSubscriptions(counting)) counting.delete(key);
      expect(counting.size).toBeLessThanOrEqual(PEOPLE.length * 5);
      const left = [...counting.values()].map(readSubscriptionFact);
      for (const who of PEOPLE) expect(after(left).get(who)).toEqual(now.get(who));
      expect(after(left).lastAsk).toBe(now.lastAsk);
      const rows = await rowsOfAll(told);
      expect(await rowsOfAll(left)).toEqual(rows);
      expect(await rowsOfAll([...told.slice(0, passed), ...left])).toEqual(rows);
    });
    await fc.assert(takes, { numRuns: 2000 });
  });

  it('knows what the owner refused, whatever was asked since and taken back', () => {
    const steps = [isAsked, (now: Relations) => decline(now, BOB), isAskedAgain];
    const before = given(...steps);
    expect(isAsked(before)).toEqual([]);
    expect(given(...steps, (now) => noteDropped(now, BOB)).get(BOB)).toEqual({ refused_ask: 1 });
    expect(given(...steps, accepts).get(BOB)).toEqual({ watches: 'accepted', watch_ask: 2 });
  });

  it('knows of whom the owner has declined', () => {
    const steps = [isAsked, asks, (now: Relations) => decline(now, BOB), isAskedAgain];
    const declined = given(...steps);
    expect(declined.get(BOB)).toMatchObject({ declined: true, watches: 'asked' });
    expect(given(...steps, isAccepted).get(BOB)).toMatchObject({ listed: 'accepted', watches: 'asked' });
    expect(given(...steps, drops, asks, isAccepted).get(BOB)).toMatchObject({ watches: 'accepted' });
  });
});

it('nothing is left of a closed account', () => {
  const before = given(
    asks,
    isAsked,
    (now) => ask(now, other(1), 2),
    (now) => noteAsked(now, other(2)),
  );
  const left = after(endAll(before, 0), before);
  expect([...left].filter(([, relation]) => !isNone(relation))).toEqual([]);
  expect([left.listed, left.asking]).toEqual([0, 0]);
});

it('two who tell each other all they do, in its order, and some of it again after a crash, agree in the end who sees whom', () => {
  const [A, B] = ['@a:a.example', '@b:b.example'] as [UserId, UserId];
  const acts = { ask: (now: Relations, who: UserId, at: number) => ask(now, who, at), drop, decline, accept: (now: Relations, who: UserId) => (now.get(who)?.watches ? accept(now, who) : []) }; // prettier-ignore
  const step = fc.tuple(fc.constantFrom(0, 1), fc.constantFrom<(keyof typeof acts)[]>('ask', 'drop', 'accept', 'decline'), fc.nat(9), fc.boolean(), fc.constantFrom('goes on', 'is noted', 'crashes')); // prettier-ignore
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const names = [A, B];
      const has = [Relations.none, Relations.none];
      const told: SubscriptionFact[][] = [[], []];
      /** How much of it the other has heard, and has noted that they have. */
      const [heard, noted] = [
        [0, 0],
        [0, 0],
      ];
      const take = (who: number, facts: readonly SubscriptionFact[]): void => {
        has[who] = after(facts, has[who]);
        told[who]!.push(...facts);
      };
      const hear = (who: number): void => {
        const by = 1 - who;
        for (const { type, data } of told[by]!.slice(heard[by])) {
          const [now, peer] = [has[who]!, names[by]!];
          const teller = has[by]!.get(names[who]!);
          // Who tells it looks at what is, and asks nobody whom they ask no more.
          if (type === 'subscription-asked' && teller?.listed !== undefined && teller.list_ask === data.ask)
            take(who, noteAsked(now, peer, data.ask));
          if (type === 'watcher-accepted') take(who, noteAccepted(now, peer, data.ask));
          if (type === 'watcher-ended' && data.by === 'owner') take(who, noteRefused(now, peer, data.ask));
          if (type === 'subscription-ended') take(who, noteDropped(now, peer, data.ask));
        }
        heard[by] = told[by]!.length;
      };
      for (const [who, act, at, hears, then] of steps) {
        take(who, acts[act](has[who]!, names[1 - who]!, at));
        if (hears) hear(1 - who);
        if (then === 'is noted') noted[who] = heard[who]!;
        if (then === 'crashes') heard[who] = noted[who]!;
      }
      const settle = (): unknown => {
        for (let i = 0; i < 6; i++) hear(i % 2);
        return [0, 1].map((who) => {
          const { listed, watches } = has[who]!.get(names[1 - who]!) ?? {};
          return { listed, watches };
        });
      };
      const settled = settle();
      for (const who of [0, 1]) {
        const [mine, theirs] = [has[who]!.get(names[1 - who]!), has[1 - who]!.get(names[who]!)];
        expect(mine?.listed).toBe(theirs?.watches);
      }
      // Who was let in by then stays so, though all is told again.
      heard.fill(0);
      expect(settle()).toEqual(settled);
    }),
    { numRuns: 1_000 },
  );
});
