import { describe, expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import { positionOf } from '#kernel/position';
import { membershipOver } from './membership-over.js';

const history = (...changes: [number, string][]) => ({
  userId: '@a:x' as UserId,
  changes: changes.map(([at, membership]) => ({ position: positionOf(at), membership })),
});
const over = (changes: [number, string][], since: number | undefined, until: number) =>
  membershipOver(history(...changes), since === undefined ? undefined : positionOf(since), positionOf(until));

describe('membershipOver', () => {
  it('calls a room new in an initial sync, and when it was joined since', () => {
    expect(over([[5, 'join']], undefined, 10)).toMatchObject({ wasIn: true, isNew: true });
    expect(over([[5, 'join']], 4, 10)).toMatchObject({ wasIn: true, isNew: true });
    expect(over([[5, 'join']], 5, 10)).toMatchObject({ wasIn: true, isNew: false });
  });

  it('does not call a room new because of a new profile', () => {
    expect(over([[5, 'join'], [8, 'join']], 6, 10)).toMatchObject({ wasIn: true, isNew: false }); // prettier-ignore
  });

  it('tells a room that was left and joined again since', () => {
    expect(over([[5, 'join'], [7, 'leave'], [8, 'join']], 6, 10)).toMatchObject({ isNew: false, cameBack: true }); // prettier-ignore
  });

  it('does not look beyond the end', () => {
    expect(over([[5, 'join'], [11, 'leave']], 6, 10).last?.membership).toBe('join'); // prettier-ignore
    expect(over([[11, 'join']], 6, 10).last).toBeUndefined();
  });

  it('tells who left from who was never in', () => {
    expect(over([[5, 'join'], [8, 'leave']], 6, 10)).toMatchObject({ wasIn: true, isNew: false }); // prettier-ignore
    expect(over([[5, 'invite'], [8, 'leave']], 6, 10)).toMatchObject({ wasIn: false }); // prettier-ignore
    expect(over([[7, 'join'], [8, 'leave']], 6, 10)).toMatchObject({ wasIn: true, isNew: true }); // prettier-ignore
    expect(over([[2, 'join'], [3, 'leave'], [8, 'ban']], 6, 10)).toMatchObject({ wasIn: false }); // prettier-ignore
  });
});
