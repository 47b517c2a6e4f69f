import { describe, expect, it } from 'vitest';
import { compileMatcher } from './event-matcher.js';
import { compileSyncFilter } from './sync-filter.js';

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

  it('tells a URL in the content from one elsewhere', () => {
    const withUrl = { ...message, json: '{"content":{"url":"mxc://x/y"}}' };
    const deeper = { ...message, json: '{"content":{"info":{"url":"mxc://x/y"}}}' };
    expect([withUrl, deeper, message].map((event) => compileMatcher({ contains_url: true }).matches(event))).toEqual([
      true,
      false,
      false,
    ]);
    expect([withUrl, deeper, message].map((event) => compileMatcher({ contains_url: false }).matches(event))).toEqual([
      false,
      true,
      true,
    ]);
  });
});

describe('compileSyncFilter', () => {
  it('has a limit of 10 events, takes another, and bounds it', () => {
    expect(compileSyncFilter({}).timelineLimit).toBe(10);
    expect(compileSyncFilter({ room: { timeline: { limit: 0 } } }).timelineLimit).toBe(0);
    expect(compileSyncFilter({ room: { timeline: { limit: 1e9 } } }).timelineLimit).toBe(1000);
  });

  it('refuses the format of federation', () => {
    expect(() => compileSyncFilter({ event_format: 'federation' })).toThrow('event_format');
  });
});
