import { expect, it } from 'vitest';
import type { ServerName, UserId } from '#kernel/ids';
import { decideAssociation, foldAssociation, type Holder, holderAt, holdsAt, NO_HOLDER } from './association.js';

const OF = { medium: 'email', address: 'bob@mail.example' } as const;
const BOB = '@bob:b.example' as UserId;
const HERE = 'a.example' as ServerName;
const LIFETIME_MS = 100 * 365 * 24 * 3600_000;

function made(not_before: number, not_after: number): Holder {
  const data = { association_id: 'first', ts: 10, not_before, not_after, by: HERE, of: OF, mxid: BOB };
  return foldAssociation(NO_HOLDER, { type: 'association-made', data: JSON.stringify(data) });
}

it.each([
  [9, false],
  [10, true],
  [20, true],
  [21, false],
])('an association is good between its times, these among them: at %s %s', (now, isGood) => {
  expect(holdsAt({ not_before: 10, not_after: 20 }, now)).toBe(isGood);
  expect(holderAt(made(10, 20), now).mxid).toBe(isGood ? BOB : undefined);
});

it('an identifier that is somebody’s no more is told of as before in all else', () => {
  const making = { ts: 10, by: HERE };
  expect(holderAt(made(10, 20), 21)).toEqual({ ts: 10, id: 'first', made: making, ours: making });
  expect(holderAt(NO_HOLDER, 21)).toEqual(NO_HOLDER);
});

it('is made somebody’s anew where that is good no more, and not else', () => {
  const bind = (now: number) => decideAssociation(made(10, 20), { id: 'next', of: OF, mxid: BOB }, { by: HERE, now });
  expect(bind(15)).toEqual([]);
  for (const now of [5, 21]) {
    const saying = { ts: Math.max(11, now), by: HERE };
    const good = { not_before: now, not_after: now + LIFETIME_MS };
    expect(bind(now)).toEqual([
      { type: 'association-ended', data: { association_id: 'first', ...saying } },
      { type: 'association-made', data: { association_id: 'next', ...saying, ...good, of: OF, mxid: BOB } },
    ]);
  }
});

it('is made a user’s anew though it is theirs where a peer made it so: they may have ended it there', () => {
  const data = {
    association_id: 'of-peer',
    ts: 10,
    not_before: 0,
    not_after: 99,
    by: 'c.example' as ServerName,
    of: OF,
    mxid: BOB,
  };
  const learnt = foldAssociation(NO_HOLDER, { type: 'association-learnt', data: JSON.stringify(data) });
  const facts = decideAssociation(learnt, { id: 'ours', of: OF, mxid: BOB }, { by: HERE, now: 20 });
  expect(facts).toMatchObject([
    { type: 'association-ended', data: { association_id: 'of-peer', ts: 20 } },
    { type: 'association-made', data: { association_id: 'ours', ts: 20 } },
  ]);
  const theirs = { association_id: 'of-peer', ts: 15, by: 'c.example' as ServerName };
  const after = [...facts, { type: 'association-end-learnt', data: theirs }].reduce(
    (holder, { type, data: said }) => foldAssociation(holder, { type, data: JSON.stringify(said) }),
    learnt,
  );
  expect(after.mxid).toBe(BOB);
});
