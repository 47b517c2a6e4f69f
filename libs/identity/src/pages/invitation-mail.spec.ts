import { describe, expect, it } from 'vitest';
import type { UserId } from '#kernel/ids';
import { validationMail } from './identity-mails.js';
import { invitationMail, invitationText, type InvitationText } from './invitation-mail.js';
import { nameForMail, userForMail } from '#mail/names-of-strangers';

const mail = (other: Partial<InvitationText> = {}) =>
  invitationMail('bob@mail.example', {
    sender: '@alice:a.example' as UserId,
    senderName: 'Alice',
    roomName: 'The Tea House',
    serverName: 'id.example',
    url: 'https://id.example/invitation?token=abc&private_key=k',
    ...other,
  });

describe('the mail of an invitation', () => {
  it('says who invites to what, and where to go on', () => {
    const { subject, text, html } = mail();
    expect(subject).toBe('Alice invites you to The Tea House on Matrix');
    expect(text).toContain('Alice (@alice:a.example) invites you to the room “The Tea House” on Matrix');
    expect(text).toContain('token=abc&private_key=k');
    expect(html).toContain('token=abc&#38;private_key=k');
    expect(mail({ isSpace: true }).text).toContain('the space “The Tea House”');
  });

  it('says what is known where there are no names', () => {
    const { subject, text } = mail({ senderName: undefined, roomName: undefined });
    expect(subject).toBe('Somebody invites you to a room on Matrix');
    expect(text).toContain('@alice:a.example invites you to a room on Matrix');
  });

  it('has no word of who asked for it where nobody vouches for them', () => {
    const { subject, text, html } = invitationMail('bob@mail.example', {
      senderName: 'Your bank',
      roomName: 'Account closed',
      serverName: 'id.example',
      url: 'https://id.example/',
    });
    for (const said of [subject, text, html ?? '']) expect(said).not.toMatch(/bank|closed/);
  });

  it('has one line of subject, no markup and no link of others, whatever names are', () => {
    const { subject, html } = mail({ senderName: 'A\r\nBcc: eve@mail.example', roomName: '<b>Tea</b>\u202e' });
    expect(subject).toBe('Somebody invites you to <b>Tea</b> on Matrix');
    expect(html).toContain('&#60;b&#62;Tea&#60;/b&#62;');
    expect(html).not.toContain('<b>');
  });
});

it.each([
  ['Alice', 'Alice'],
  ['  Alice \u0000 and\nBob ', 'Alice and Bob'],
  ['Tea at five. Or six', 'Tea at five. Or six'],
  ['x'.repeat(61), `${'x'.repeat(60)}…`],
  ['win at evil.example', undefined],
  ['https://evil', undefined],
  ['www.evil.example', undefined],
  ['a@b', undefined],
  ['win at evil。example', undefined],
  ['evil．example', undefined],
  ['evil｡example', undefined],
  ['evil․example', undefined],
  ['उदाहरण.भारत', undefined],
  ['💩.la', undefined],
  ['https：／／evil', undefined],
  ['a＠b', undefined],
  ['go to 192.0.2.7', undefined],
  ['１９２．0。2｡7', undefined],
  ['Chess at 3.30, room 1.2.3', 'Chess at 3.30, room 1.2.3'],
  ['お茶。', 'お茶。'],
  ['wait... and see', 'wait... and see'],
  [' \u200b ', undefined],
  [1, undefined],
])('of the name %j a mail shows %j', (name, shown) => expect(nameForMail(name)).toBe(shown));

it.each([
  ['@alice.smith_1+x=y-z:a.example', '@alice.smith_1+x=y-z:a.example'],
  ['@Old:a.example:8448', '@Old:a.example:8448'],
  ['@your account is closed:evil.example', 'Somebody of evil.example'],
  ['@a\n\nCall 123:evil.example', 'Somebody of evil.example'],
  ['@evil.example/win:evil.example', 'Somebody of evil.example'],
  [`@${'x'.repeat(65)}:evil.example`, 'Somebody of evil.example'],
] as [UserId, string][])('the user %j is %j in any message to a stranger', (userId, said) => {
  expect(userForMail(userId)).toBe(said);
  const url = 'https://id.example/';
  const mails = [
    invitationMail('bob@mail.example', { sender: userId, serverName: 'id.example', url }),
    validationMail('bob@mail.example', { userId, serverName: 'id.example', url }),
  ];
  const texts = [
    ...mails.flatMap(({ subject, text, html = '' }) => [subject, text, html]),
    invitationText(userId, url),
  ];
  expect(texts.join(' ')).toContain(said);
  if (said !== userId) expect(texts.join(' ')).not.toContain(userId.slice(0, userId.indexOf(':')));
});
