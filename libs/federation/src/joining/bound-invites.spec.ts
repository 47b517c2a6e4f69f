import type { CommandBus } from '@nestjs/cqrs';
import { expect, it } from 'vitest';
import { ACCOUNTS } from '#accounts/projections/accounts.projector';
import { loadConfig } from '#config/config';
import { RateLimits } from '#http/rate-limits';
import type { UserId } from '#kernel/ids';
import { PeerUnavailable } from '#kernel/peer-errors';
import type { Views } from '#projections/views';
import { BoundInvites } from './bound-invites.js';
import type { RemoteInvites } from './remote-invites.js';

const BOB = '@bob:a.example' as UserId;
const inviteOf = (server: string) => ({
  room_id: '!room',
  sender: `@alice:${server}`,
  signed: { mxid: BOB, token: 't', signatures: {} },
});

it('asks one server no more often than others may invite, whoever tells of its invitations, and has the rest told again', async () => {
  const asked: string[] = [];
  const config = loadConfig({ ANNALS_SERVER_NAME: 'a.example', ANNALS_RATE_LIMIT_FIGURES: 'inviting=3:0.001' });
  const exchange = (server: string) => Promise.resolve(void asked.push(server));
  const views = {
    get: (name: string) => Promise.resolve(name === ACCOUNTS.name ? JSON.stringify({ created_ts: 1 }) : undefined),
  };
  const invites = new BoundInvites(
    { exchange } as unknown as RemoteInvites,
    {} as CommandBus,
    new RateLimits(config, { elapsed: () => 0 } as never),
    views as unknown as Views,
    config,
  );
  const tell = (servers: readonly string[]) => invites.take({ mxid: BOB, invites: servers.map(inviteOf) });
  await expect(tell(Array.from({ length: 100 }, () => 'b.example'))).rejects.toBeInstanceOf(PeerUnavailable);
  expect(asked).toEqual(['b.example', 'b.example', 'b.example']);
  await tell(['c.example']);
  expect(asked.at(-1)).toBe('c.example');
});
