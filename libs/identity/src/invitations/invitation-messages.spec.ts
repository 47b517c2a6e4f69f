import { expect, it } from 'vitest';
import { loadConfig } from '#config/config';
import { KeyedNames } from '#event-store/keyed-names';
import { RateLimits } from '#http/rate-limits';
import type { UserId } from '#kernel/ids';
import type { Mail, Mailer } from '#mail/mailer';
import type { Texter } from '#phones/texter';
import { generateSigningKey } from '#protocol/signing/signing-key';
import { TEST_NAMES } from '#testing/test-names';
import { InvitationMessages } from './invitation-messages.js';
import { Messengers } from '../validations.js';

it('counts messages to one number by the one way in which identifiers write it', async () => {
  const counted: string[] = [];
  const texter = { isConfigured: true, reaches: () => true, checkRoom: (number: string) => void counted.push(number) };
  const messages = new InvitationMessages(
    new Messengers({} as Mailer, texter as unknown as Texter),
    new RateLimits(loadConfig({ ANNALS_RATE_LIMITS: 'off' }), { elapsed: () => 0 } as never),
    loadConfig({}),
    TEST_NAMES,
    generateSigningKey(),
  );
  const to = (address: string) =>
    messages.check({
      threepid: { medium: 'msisdn', address },
      sender: '@alice:a.example' as UserId,
      isVouchedFor: true,
    });
  await to('447700900001');
  await expect(to('4407700900001')).rejects.toMatchObject({ errcode: 'M_INVALID_ADDRESS' });
  expect(counted).toEqual(['447700900001']);
});

it('keeps what it says where nobody else reads it, and of whom nobody vouches for no word', async () => {
  const sent: Mail[] = [];
  const mailer = { isConfigured: true, send: (mail: Mail) => Promise.resolve(void sent.push(mail)) };
  const messengers = new Messengers(mailer as unknown as Mailer, {} as Texter);
  const config = loadConfig({ ANNALS_PUBLIC_URL: 'https://id.example' });
  const limits = new RateLimits(config, { elapsed: () => 0 });
  const messages = new InvitationMessages(messengers, limits, config, TEST_NAMES, generateSigningKey());
  const told = {
    threepid: { medium: 'email', address: 'carol@mail.example' },
    sender: '@alice:a.example' as UserId,
    senderName: 'Alice',
    roomName: 'The Tea House',
  } as const;
  const link = { token: 'abc', privateKey: 'secret' };
  const sealed = messages.seal({ ...told, isVouchedFor: true }, link);
  expect(Buffer.from(sealed, 'base64url').toString()).not.toMatch(/carol|secret|Alice/);
  for (const text of [sealed, sealed, messages.seal({ ...told, isVouchedFor: false }, link)]) {
    expect(await messages.send(text)).toBe(true);
  }
  const [first, again, unvouched] = sent;
  expect(first).toMatchObject({ to: 'carol@mail.example', subject: 'Alice invites you to The Tea House on Matrix' });
  expect(first!.text).toContain(
    'https://id.example/_matrix/identity/unstable/dev.annals.invitation?token=abc&private_key=secret',
  );
  expect(again!.id).toBe(first!.id);
  expect(`${unvouched!.subject} ${unvouched!.text}`).not.toMatch(/alice|Tea House/i);
});

it('sends what waited while the server began to sign with another key, and not where that of its names was lost', async () => {
  const mailer = { isConfigured: true, send: () => Promise.resolve() };
  const messengers = new Messengers(mailer as unknown as Mailer, {} as Texter);
  const config = loadConfig({});
  const by = (names: KeyedNames, key = generateSigningKey()): InvitationMessages =>
    new InvitationMessages(messengers, new RateLimits(config, { elapsed: () => 0 }), config, names, key);
  const seal = (messages: InvitationMessages): string =>
    messages.seal(
      {
        threepid: { medium: 'email', address: 'carol@mail.example' },
        sender: '@alice:a.example' as UserId,
        isVouchedFor: true,
      },
      { token: 'abc', privateKey: 'secret' },
    );
  const sealed = seal(by(TEST_NAMES));
  expect(await by(TEST_NAMES).send(sealed)).toBe(true);
  expect(await by(new KeyedNames(new Uint8Array(32).fill(9))).send(sealed)).toBe(false);
  // Earlier versions sealed by the key that the server signs with, whichever it had its names by.
  const key = generateSigningKey();
  expect(await by(TEST_NAMES, key).send(seal(by(new KeyedNames(key.exportSeed()))))).toBe(true);
});
