import { expect, it } from 'vitest';
import { loadConfig } from '#config/config';
import { RateLimits } from '#http/rate-limits';
import type { UserId } from '#kernel/ids';
import type { Mailer } from '#mail/mailer';
import type { Texter } from '#phones/texter';
import { InvitationMessages } from './invitation-messages.js';
import { Messengers } from './validations.js';

it('counts messages to one number by the one way in which identifiers write it', async () => {
  const counted: string[] = [];
  const texter = { isConfigured: true, reaches: () => true, checkRoom: (number: string) => void counted.push(number) };
  const messages = new InvitationMessages(
    new Messengers({} as Mailer, texter as unknown as Texter),
    new RateLimits(loadConfig({ ANNALS_RATE_LIMITS: 'off' }), { elapsed: () => 0 } as never),
    loadConfig({}),
  );
  const to = (address: string) =>
    messages.prepare({
      threepid: { medium: 'msisdn', address },
      sender: '@alice:a.example' as UserId,
      isVouchedFor: true,
    });
  await to('447700900001');
  await expect(to('4407700900001')).rejects.toMatchObject({ errcode: 'M_INVALID_ADDRESS' });
  expect(counted).toEqual(['447700900001']);
});
