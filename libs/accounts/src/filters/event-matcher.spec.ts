import { describe, expect, it } from 'vitest';
import { compileMatcher } from './event-matcher.js';

const message = { type: 'm.room.message', sender: '@a:x', roomId: '!r:x', json: '{"content":{"body":"hi"}}' };

describe('compileMatcher', () => {
  it('lets everything through where nothing is asked', () => {
    const matcher = compileMatcher({});
    expect(matcher.matchesAll).toBe(true);
    expect(matcher.matches(message)).toBe(true);
  });

  it('lets nothing through an empty list, and everything through an empty list of exclusions', () => {
    expect(compileMatcher({ types: [] }).matches(message)).toBe(false);
    expect(compileMatcher({ types: [] }).matchesRoom('!r:x')).toBe(false);
    expect(compileMatcher({ not_types: [] }).matches(message)).toBe(true);
  });

  it('takes a star for any characters, and every other character for itself', () => {
    const matches = (pattern: string, type: string) => compileMatcher({ types: [pattern] }).matches({ type });
    expect(matches('m.room.*', 'm.room.message')).toBe(true);
    expect(matches('m.room.*', 'm.roomXmessage')).toBe(false);
    expect(matches('*', 'anything\nat all')).toBe(true);
    expect(matches('*.message', 'm.room.message')).toBe(true);
    expect(matches('*.message', 'm.room.messages')).toBe(false);
    expect(matches('a(b', 'a(b')).toBe(true);
    expect(matches('a*c', 'a(b)c')).toBe(true);
    expect(matches('a*?', 'a(b)c')).toBe(false);
    expect(matches('a*?', 'abc?')).toBe(true);
  });

  it('takes its time from the length of a pattern only, however many stars it has', () => {
    const pattern = `${'*a'.repeat(1_000)}*b`;
    expect(compileMatcher({ types: [pattern] }).matches({ type: 'a'.repeat(255) })).toBe(false);
  });

  it('lets an exclusion win over what is asked for', () => {
    const matcher = compileMatcher({ types: ['m.*'], not_types: ['m.room.message'] });
    expect(matcher.matches(message)).toBe(false);
    expect(matcher.matches({ ...message, type: 'm.room.name' })).toBe(true);
  });

  it('looks at senders and rooms', () => {
    expect(compileMatcher({ senders: ['@b:x'] }).matches(message)).toBe(false);
    expect(compileMatcher({ not_senders: ['@a:x'] }).matches(message)).toBe(false);
    expect(compileMatcher({ rooms: ['!other:x'] }).matches(message)).toBe(false);
    expect(compileMatcher({ rooms: ['!other:x'] }).matchesRoom('!r:x')).toBe(false);
    expect(compileMatcher({ not_rooms: ['!r:x'] }).matches(message)).toBe(false);
  });

  it('tells a key `url` of the content, whatever it holds, from one elsewhere', () => {
    const withUrl = { ...message, json: '{"content":{"url":"mxc://x/y"}}' };
    const ofAnotherKind = { ...message, json: '{"content":{"url":null}}' };
    const deeper = { ...message, json: '{"content":{"info":{"url":"mxc://x/y"}}}' };
    expect(
      [withUrl, ofAnotherKind, deeper, message].map((event) => compileMatcher({ contains_url: true }).matches(event)),
    ).toEqual([true, true, false, false]);
    expect(
      [withUrl, ofAnotherKind, deeper, message].map((event) => compileMatcher({ contains_url: false }).matches(event)),
    ).toEqual([false, false, true, true]);
  });
});
