import { beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '#config/config';
import { RateLimits } from '#http/rate-limits';
import type { UserId } from '#kernel/ids';
import type { Mail, Mailer } from '#mail/mailer';
import type { Texter } from '#phones/texter';
import { generateSigningKey } from '#protocol/signing/signing-key';
import { MemoryEventStore } from '#testing/memory-event-store';
import { Messengers, type ValidationAsker, Validations } from './validations.js';

const MOST_OF_SERVER = 2_000;

describe('validations', () => {
  let sent: Mail[];
  let validations: Validations;
  beforeEach(() => {
    sent = [];
    const config = loadConfig({
      ANNALS_SERVER_NAME: 'id.example',
      ANNALS_RATE_LIMITS: 'off',
      ANNALS_ROLES: 'identity',
    });
    const mailer = { isConfigured: true, checkRoom: () => {}, post: (mail: Mail) => void sent.push(mail) };
    const clock = { now: () => 1_000, elapsed: () => 0 };
    validations = new Validations(
      new MemoryEventStore(),
      clock,
      generateSigningKey(),
      config,
      new Messengers(mailer as unknown as Mailer, { isConfigured: false } as Texter),
      new RateLimits(config, clock),
    );
  });

  const begin = (asker: ValidationAsker, n: number): Promise<string> =>
    validations.beginByMail(`u${n}@mail.example`, { asker, clientSecret: `s${n}`, sendAttempt: 1 });
  const of = (server: string, n: number): ValidationAsker => ({ userId: `@u${n}:${server}` as UserId });

  it('of the users of one homeserver are so many at once, and those of others go on', async () => {
    for (let n = 0; n < MOST_OF_SERVER; n++) await begin(of('big.example', n), n);
    const refused = { errcode: 'M_LIMIT_EXCEEDED' };
    await expect(begin(of('big.example', MOST_OF_SERVER), MOST_OF_SERVER)).rejects.toMatchObject(refused);
    expect(sent).toHaveLength(MOST_OF_SERVER);
    await begin(of('small.example', 1), MOST_OF_SERVER + 1);
    await begin({ ipParty: '192.0.2.1' }, MOST_OF_SERVER + 2);
  });

  it('say in the mail for whom and by which server they are, where that is known', async () => {
    await begin(of('a.example', 1), 1);
    await begin({ ipParty: '192.0.2.1' }, 2);
    expect(sent[0]?.text).toContain('@u1:a.example');
    expect(sent[1]?.text).not.toContain('@u');
    for (const { text, subject } of sent)
      expect([text, subject].every((part) => part.includes('id.example'))).toBe(true);
  });

  it('by a message to a phone are refused where this server sends none', async () => {
    const wanted = { asker: of('a.example', 1), clientSecret: 's', sendAttempt: 1 };
    const begun = validations.beginByText({ country: 'DE', phone: '0151 12345678' }, wanted);
    await expect(begun).rejects.toMatchObject({ errcode: 'M_SEND_ERROR' });
  });
});
