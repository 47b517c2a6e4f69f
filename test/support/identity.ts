import { expect } from 'vitest';
import { IdentityClient, linkTo } from '#testing/identity-client';
import type { MailServer } from '#testing/mail-server';
import type { TestAuthority } from '#testing/test-authority';
import { FederatingAnnals } from './federation/federating-annals.js';
import type { Federating } from './federation/other-server.js';
import type { Client } from './homeserver.js';

/** Servers tell each other, and are killed and started. */
export const SOON = { timeout: 60_000, interval: 500 };
const INVITATION = '/_matrix/identity/unstable/dev.annals.invitation';

/** A server of ours that is an identity server, besides a homeserver unless told otherwise, and tells others where it says whether a key holds. */
export async function startIdentity(
  authority: TestAuthority,
  mails: MailServer,
  env: Readonly<Record<string, string>> = {},
): Promise<FederatingAnnals> {
  const server = await FederatingAnnals.begin(authority, {
    ANNALS_ROLES: 'all,identity',
    ANNALS_SMTP_URL: mails.url,
    ANNALS_IDENTITY_PRIVATE_SERVERS: 'localhost',
    ...env,
  });
  server.set({ ANNALS_PUBLIC_URL: `https://${server.name}` });
  await server.restart();
  return server;
}

/** Somebody with a token of an identity server, which is reached where it listens now. */
export function openAt(server: Federating, mails: MailServer, user: Client): Promise<IdentityClient<Client>> {
  const at = {
    name: server.name,
    get address() {
      return server.base;
    },
  };
  return IdentityClient.open(at, mails, user);
}

/** Invites an address to a new room; answers the room once the mail has come. */
export async function inviteByMail(by: IdentityClient<Client>, mails: MailServer, address: string): Promise<string> {
  const room = await by.user.createRoom({ preset: 'private_chat', name: 'The Tea House' });
  const asked = { medium: 'email', address, ...by.at };
  await by.user.ok('POST', `/rooms/${encodeURIComponent(room)}/invite`, asked);
  await linkTo(mails, address, INVITATION);
  return room;
}

/** Waits until somebody is invited to a room, and joins it. */
export async function joinOnceInvited(room: string, invited: Client, inviter: Client): Promise<void> {
  // Synapse answers the same to the same first sync for a while.
  let since: string | undefined;
  const isInvited = async (): Promise<boolean> => {
    const { next_batch: next, rooms } = await invited.sync(since === undefined ? {} : { since, timeout: 0 });
    since = next;
    return room in (rooms?.invite ?? {});
  };
  await expect.poll(isInvited, SOON).toBe(true);
  await invited.ok('POST', `/join/${encodeURIComponent(room)}`, {});
  const members = async (): Promise<string[]> =>
    Object.keys((await inviter.ok('GET', `/rooms/${encodeURIComponent(room)}/joined_members`)).joined);
  await expect.poll(members, SOON).toContain(invited.userId);
}
