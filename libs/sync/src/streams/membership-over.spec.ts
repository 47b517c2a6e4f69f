import { describe, expect, it } from 'vitest';
import { positionOf } from '#testing/position-of';
import { readerWith } from '#testing/reader-with';
import { isEndUnheard, membershipOver } from './membership-over.js';

type Changes = readonly (readonly [number, string])[];

const over = async (changes: Changes, since: number | undefined, until: number) =>
  membershipOver(await readerWith(changes), since === undefined ? undefined : positionOf(since), positionOf(until));

describe('membershipOver', () => {
  it('calls a room new in an initial sync, and when it was joined since', async () => {
    expect(await over([[5, 'join']], undefined, 10)).toMatchObject({ wasIn: true, isNew: true });
    expect(await over([[5, 'join']], 4, 10)).toMatchObject({ wasIn: true, isNew: true });
    expect(await over([[5, 'join']], 5, 10)).toMatchObject({ wasIn: true, isNew: false });
  });

  it('does not call a room new because of a new profile', async () => {
    expect(await over([[5, 'join'], [8, 'join']], 6, 10)).toMatchObject({ wasIn: true, isNew: false, cameBack: false }); // prettier-ignore
  });

  it('tells a room that was left and joined again since', async () => {
    expect(await over([[5, 'join'], [7, 'leave'], [8, 'join']], 6, 10)).toMatchObject({ isNew: false, cameBack: true }); // prettier-ignore
  });

  it('does not look beyond the end', async () => {
    expect((await over([[5, 'join'], [11, 'leave']], 6, 10))?.last.membership).toBe('join'); // prettier-ignore
    expect(await over([[11, 'join']], 6, 10)).toBeUndefined();
  });

  it('tells who left from who was never in', async () => {
    expect(await over([[5, 'join'], [8, 'leave']], 6, 10)).toMatchObject({ wasIn: true, isNew: false }); // prettier-ignore
    expect(await over([[5, 'invite'], [8, 'leave']], 6, 10)).toMatchObject({ wasIn: false }); // prettier-ignore
    expect(await over([[7, 'join'], [8, 'leave']], 6, 10)).toMatchObject({ wasIn: true, isNew: true }); // prettier-ignore
    expect(await over([[2, 'join'], [3, 'leave'], [8, 'ban']], 6, 10)).toMatchObject({ wasIn: false }); // prettier-ignore
  });

  it('knows to whom the end of what they were told is news', async () => {
    const isUnheard = async (...changes: Changes): Promise<boolean> => isEndUnheard((await over(changes, 5, 10))!);
    expect(await isUnheard([2, 'join'], [8, 'leave'])).toBe(true);
    expect(await isUnheard([2, 'invite'], [8, 'leave'], [9, 'ban'])).toBe(true);
    expect(await isUnheard([2, 'join'], [11, 'leave'])).toBe(false);
    expect(await isUnheard([2, 'leave'], [8, 'ban'])).toBe(false);
    expect(await isUnheard([7, 'join'], [8, 'leave'])).toBe(false);
  });

  it('knows where the last stay ended, whatever became of the user since', async () => {
    const kicked: Changes = [[2, 'join'], [5, 'leave'], [7, 'knock'], [9, 'leave']]; // prettier-ignore
    expect(await over(kicked, 3, 20)).toMatchObject({ wasIn: true, isNew: false, last: { left: positionOf(5) } });
    expect(await over(kicked, 6, 20)).toMatchObject({ wasIn: false, isNew: true, last: { left: positionOf(5) } });
  });
});
