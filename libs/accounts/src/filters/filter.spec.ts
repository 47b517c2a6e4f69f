import { describe, expect, it } from 'vitest';
import type { ServerName } from '#kernel/ids';
import { filterIdOf, parseFilter } from './filter.js';

const OURS = 'a.example' as ServerName;

describe('filters', () => {
  it('are taken as they are where their form is right, with keys that nobody knows', () => {
    const filter = {
      event_fields: ['content.body'],
      event_format: 'client',
      presence: { not_senders: ['@a:b'], limit: 5 },
      room: {
        rooms: ['!a:b'],
        include_leave: true,
        timeline: { types: ['m.*'], contains_url: false, lazy_load_members: true, 'org.example.new': { x: 1 } },
      },
    };
    expect(parseFilter(filter, OURS)).toEqual(filter);
  });

  it('name senders of this server in any case', () => {
    const senders = ['@BOB:a.example', '@BOB:b.example', '@bob:a.example'];
    const folded = ['@bob:a.example', '@BOB:b.example', '@bob:a.example'];
    expect(parseFilter({ room: { timeline: { senders, not_senders: senders } } }, OURS)).toEqual({
      room: { timeline: { senders: folded, not_senders: folded } },
    });
  });

  it('may leave a key out by null', () => {
    expect(parseFilter({ room: { timeline: { types: null, limit: 3 } }, presence: null }, OURS)).toEqual({
      room: { timeline: { limit: 3 } },
    });
  });

  it.each([
    ['event_format', { event_format: 'html' }],
    ['event_fields', { event_fields: 'type' }],
    ['presence', { presence: [] }],
    ['presence.senders', { presence: { senders: ['alice'] } }],
    ['account_data.types', { account_data: { types: [1] } }],
    ['room', { room: 'all' }],
    ['room.rooms', { room: { rooms: ['room'] } }],
    ['room.include_leave', { room: { include_leave: 'yes' } }],
    ['room.timeline.limit', { room: { timeline: { limit: -1 } } }],
    ['room.timeline.limit', { room: { timeline: { limit: 1.5 } } }],
    ['room.state.lazy_load_members', { room: { state: { lazy_load_members: 1 } } }],
    ['room.ephemeral.not_rooms', { room: { ephemeral: { not_rooms: ['#alias:b'] } } }],
    ['room.timeline.types', { room: { timeline: { types: Array.from({ length: 1001 }, () => 'm.x') } } }],
  ])('are refused with the name of what is wrong: %s', (path, filter) => {
    const refusal = { errcode: 'M_BAD_JSON', message: expect.stringContaining(`${path}: `) };
    expect(() => parseFilter(filter, OURS)).toThrow(expect.objectContaining(refusal));
  });

  it('have an id that depends on what they say alone, and is not mistaken for a filter', () => {
    expect(filterIdOf({ room: {} })).toBe(filterIdOf({ room: {} }));
    expect(filterIdOf({ room: {} })).not.toBe(filterIdOf({}));
    expect(filterIdOf({})).toMatch(/^[\w-]{16}$/);
  });
});
