import { describe, expect, it } from 'vitest';
import { composeDigest, type DigestMail } from './compose-digest.js';
import type { DescribedRoom } from './describe-digest.js';

const AT = Date.UTC(2026, 2, 1, 12, 34);
const ROOM: DescribedRoom = {
  name: 'The pub',
  url: 'https://client.example/#/room/!r/$e?a=1&b="2"',
  invitedBy: undefined,
  quotes: [{ who: 'Bob', at: AT, says: 'one <b>line</b>\nand another' }],
  unread: 1,
  highlights: 0,
  isEncrypted: false,
};
const compose = (rooms: readonly DescribedRoom[], more: Partial<DigestMail> = {}) =>
  composeDigest({
    to: 'alice@mail.example',
    userId: '@alice:a.example',
    serverName: 'a.example',
    brand: undefined,
    rooms,
    more: 0,
    unsubscribeUrl: 'https://a.example/_matrix/static/client/unsubscribe?token=x',
    id: 'unread.1',
    ...more,
  });

describe('a mail of what is unread', () => {
  it('says who said what when in which room, and where to go on', () => {
    const { subject, text, html, id, unsubscribe } = compose([ROOM]);
    expect(subject).toBe('Unread: The pub (a.example)');
    expect(text).toBe(`This is what @alice:a.example has not read.

--- The pub ---

Bob, 2026-03-01 12:34 UTC:
  one <b>line</b>
  and another

Open:
${ROOM.url}

Once you read something in your application no mail tells of it any more.

I want no more of these mails:
https://a.example/_matrix/static/client/unsubscribe?token=x
`);
    expect(html).toContain('one &#60;b&#62;line&#60;/b&#62;<br>and another');
    expect(html).toContain('href="https://client.example/#/room/!r/$e?a=1&#38;b=&#34;2&#34;"');
    // It loads nothing from anywhere.
    expect(html).not.toMatch(/<img|src=|url\(/);
    expect([id, unsubscribe]).toEqual(['unread.1', 'https://a.example/_matrix/static/client/unsubscribe?token=x']);
  });

  it('tells how much else there is', () => {
    const { subject, text } = compose([{ ...ROOM, unread: 4, highlights: 1 }, ROOM], { more: 3, brand: 'Element' });
    expect(subject).toBe('Unread: The pub and 4 more rooms (a.example)');
    expect(text).toContain('And 3 messages before that.');
    expect(text).toContain('You are mentioned 1 time.');
    expect(text).toContain('There is something unread in 3 more rooms.');
    expect(text).toContain('Open in Element:');
  });

  it('tells of an encrypted room how many messages there are alone, and of an invitation who sent it', () => {
    const secret = compose([{ ...ROOM, quotes: [], unread: 2, isEncrypted: true }]).text;
    expect(secret).toContain('2 messages, which only your devices can read.');
    const invited = compose([{ ...ROOM, quotes: [], unread: 0, invitedBy: 'Bob' }]);
    expect(invited.subject).toBe('Bob invites you: The pub (a.example)');
    expect(invited.text).toContain('Bob invites you to this room.');
  });

  it('shows no time that is none', () => {
    expect(compose([{ ...ROOM, quotes: [{ who: 'Bob', at: 1e18, says: 'x' }] }]).text).toContain('Bob:\n  x');
  });
});
