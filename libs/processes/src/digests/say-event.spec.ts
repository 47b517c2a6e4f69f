import { describe, expect, it } from 'vitest';
import { plainLine, plainLines } from './plain-text.js';
import { sayEvent } from './say-event.js';

const message = (content: object): string => sayEvent('m.room.message', content as never, false);

describe('what an event says in a mail', () => {
  it.each([
    [{ msgtype: 'm.text', body: 'hello\nyou' }, 'hello\nyou'],
    [{ msgtype: 'm.emote', body: 'waves' }, '* waves'],
    [{ msgtype: 'm.image', body: 'cat.png' }, 'Sent a picture: cat.png'],
    [{ msgtype: 'm.file', body: 'a caption', filename: 'a\nb.pdf' }, 'Sent a file: a b.pdf'],
    [{ msgtype: 'm.video' }, 'Sent a video'],
    [{ msgtype: 'org.example.own', body: 'fallback' }, 'fallback'],
    [{ msgtype: 'm.text', body: 7 }, 'Sent a message'],
    [{ msgtype: 'm.text', body: '\u202Eevil\u0000' }, 'evil'],
  ])('of %j', (content, says) => expect(message(content)).toBe(says));

  it('is what answers somebody, without what it answers', () => {
    const body = '> <@a:b> what?\n> and more\n\nthis';
    const reply = { 'm.relates_to': { 'm.in_reply_to': { event_id: '$1' } } };
    expect(message({ msgtype: 'm.text', body, ...reply })).toBe('this');
    expect(message({ msgtype: 'm.text', body })).toBe(body);
  });

  it('is what happened, of what is no message', () => {
    expect(sayEvent('m.room.member', { membership: 'invite' }, true)).toBe('Invites you to this room');
    expect(sayEvent('m.room.member', { membership: 'invite' }, false)).toBe('Invited somebody');
    expect(sayEvent('m.room.encrypted', { body: 'x' }, false)).toBe('Sent an encrypted message');
    expect(sayEvent('m.sticker', { body: 'a cat' }, false)).toBe('Sent a sticker: a cat');
    expect(sayEvent('org.example', { body: 'x' }, false)).toBe('Something happened in this room');
  });

  it('is no more than somebody reads', () => {
    const long = message({ msgtype: 'm.text', body: 'é'.repeat(60_000) });
    expect([...long]).toHaveLength(600);
    expect(long.endsWith('é…')).toBe(true);
    expect(message({ msgtype: 'm.text', body: 'x\n'.repeat(1_000) }).split('\n')).toHaveLength(13);
    expect(plainLine('\u{1F600}'.repeat(20), 10)).toBe(`${'\u{1F600}'.repeat(9)}…`);
    expect(plainLines('a\r\nb\u2028c', 10, 5)).toBe('a\nb\nc');
  });
});
