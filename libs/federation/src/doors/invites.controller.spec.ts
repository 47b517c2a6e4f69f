import { beforeEach, describe, expect, it } from 'vitest';
import type { Config } from '#config/config';
import { RateLimits } from '#http/rate-limits';
import type { ServerName } from '#kernel/ids';
import type { InviteHandshakes } from '../joining/invite-handshakes.js';
import { InvitesController } from './invites.controller.js';

const EVE = 'b.example' as ServerName;
const OTHER = 'c.example' as ServerName;

let taken: number;
let now: number;
let door: InvitesController;

beforeEach(() => {
  [taken, now] = [0, 0];
  const take = async () => (taken++, {});
  const limits = new RateLimits({ rateLimits: true } as Config, { elapsed: () => now });
  door = new InvitesController({ take } as Partial<InviteHandshakes> as InviteHandshakes, limits);
});

/** By whichever of the two versions of the path, one after another. */
async function invite(server: ServerName, userId: string): Promise<void> {
  const event = { state_key: userId };
  const ids = [`!${taken}:${server}`, '$event'] as const;
  if (taken % 2 === 0) await door.invite(server, ...ids, { event, room_version: '11' });
  else await door.inviteV1(server, ...ids, event);
}

describe('invitations by other servers', () => {
  it('of one user are taken slowly after some, but those by another server', async () => {
    for (let i = 0; i < 30; i++) await invite(EVE, '@bob:a.example');
    const refused = { errcode: 'M_LIMIT_EXCEEDED', fields: { retry_after_ms: 10_000 } };
    await expect(invite(EVE, '@bob:a.example')).rejects.toMatchObject(refused);
    await invite(OTHER, '@bob:a.example');
    await invite(EVE, '@carol:a.example');
    now = 10_000;
    await invite(EVE, '@bob:a.example');
  });

  it('by one server are taken slowly after many, whomever it invites', async () => {
    for (let i = 0; i < 100; i++) await invite(EVE, `@user${i}:a.example`);
    await expect(invite(EVE, '@bob:a.example')).rejects.toMatchObject({ errcode: 'M_LIMIT_EXCEEDED' });
    await invite(OTHER, '@bob:a.example');
    expect(taken).toBe(101);
  });
});
