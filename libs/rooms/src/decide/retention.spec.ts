import { describe, expect, it } from 'vitest';
import type { RetentionRuled } from '../facts/retention-facts.js';
import { agesFrom, isAsOldAs, lifetimeOf, readRetentionPolicy, SHORTEST_LIFETIME_MS } from './retention.js';

const DAY = 24 * 60 * 60_000;
const ON: RetentionRuled = { on: true, default: {}, allowed: {} };

describe('the policy of a room', () => {
  it('says for how long its messages are kept', () => {
    expect(readRetentionPolicy({ max_lifetime: DAY })).toEqual({ max_lifetime: DAY });
    expect(readRetentionPolicy({ min_lifetime: 0, max_lifetime: null })).toEqual({ min_lifetime: 0 });
    expect(readRetentionPolicy({})).toEqual({});
  });

  it.each([
    { max_lifetime: -1 },
    { max_lifetime: 1.5 },
    { max_lifetime: '1' },
    { max_lifetime: 2 ** 53 },
    { min_lifetime: {}, max_lifetime: DAY },
    { min_lifetime: 2 * DAY, max_lifetime: DAY },
  ])('says nothing where it cannot be kept to: %j', (content) => {
    expect(readRetentionPolicy(content)).toBeUndefined();
  });
});

describe('the lifetime of messages', () => {
  it('has no end where retention is off, or nobody says one', () => {
    expect(lifetimeOf({ ...ON, on: false, default: { max_lifetime: DAY } }, { max_lifetime: DAY })).toBeUndefined();
    expect(lifetimeOf(ON, undefined)).toBeUndefined();
    expect(lifetimeOf(ON, { min_lifetime: DAY })).toBeUndefined();
    expect(lifetimeOf({ ...ON, allowed: { max: DAY } }, {})).toBeUndefined();
  });

  it('is what the room says, else what the server does', () => {
    const rules = { ...ON, default: { max_lifetime: 7 * DAY } };
    expect(lifetimeOf(rules, { max_lifetime: DAY })).toBe(DAY);
    expect(lifetimeOf(rules, undefined)).toBe(7 * DAY);
    expect(lifetimeOf(rules, {})).toBe(7 * DAY);
  });

  it('is by default no shorter than the room wants its messages to be kept', () => {
    expect(lifetimeOf({ ...ON, default: { max_lifetime: DAY } }, { min_lifetime: 3 * DAY })).toBe(3 * DAY);
  });

  it('is within the limits of the operator, whatever the room and the default say', () => {
    const rules = { ...ON, default: { max_lifetime: 1 }, allowed: { min: DAY, max: 10 * DAY } };
    expect(lifetimeOf(rules, { max_lifetime: 5 * DAY })).toBe(5 * DAY);
    expect(lifetimeOf(rules, { max_lifetime: 1000 })).toBe(DAY);
    expect(lifetimeOf(rules, { min_lifetime: 20 * DAY, max_lifetime: 30 * DAY })).toBe(10 * DAY);
    expect(lifetimeOf(rules, undefined)).toBe(DAY);
  });

  it('is a minute at least', () => {
    expect(lifetimeOf(ON, { max_lifetime: 0 })).toBe(SHORTEST_LIFETIME_MS);
  });
});

describe('the age of an event', () => {
  it('is counted from when it was sent, or came where it says to have been sent later', () => {
    expect(agesFrom({ sentAt: 5 })).toBe(5);
    expect(agesFrom({ sentAt: 9_999, arrivedAt: 7 })).toBe(7);
    expect(isAsOldAs({ sentAt: 100 }, 50, 149)).toBe(false);
    expect(isAsOldAs({ sentAt: 100 }, 50, 150)).toBe(true);
    expect(isAsOldAs({ sentAt: 1e15, arrivedAt: 100 }, 50, 150)).toBe(true);
  });

  it('is nothing to a state event', () => {
    expect(isAsOldAs({ sentAt: 0, stateKey: '' }, 50, 1e12)).toBe(false);
  });
});
