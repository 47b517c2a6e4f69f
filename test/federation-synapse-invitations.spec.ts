import { afterAll, beforeAll, describe, it, vi } from 'vitest';
import { type MailServer, startMailServer } from '#testing/mail-server';
import { TestAuthority } from '#testing/test-authority';
import { FederatingAnnals } from './support/federation/federating-annals.js';
import type { OtherServer } from './support/federation/other-server.js';
import { startSynapse, SYNAPSE } from './support/federation/synapse.js';
import { inviteByMail, joinOnceInvited, openAt, startIdentity } from './support/identity.js';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

/** The identity server is ours, and a third one: neither homeserver knows of it before its users name it. */
describe.skipIf(SYNAPSE === undefined)('an invitation by a mail address', () => {
  const authority = new TestAuthority();
  let mails: MailServer;
  let identity: FederatingAnnals;
  let ours: FederatingAnnals;
  let synapse: OtherServer;

  beforeAll(async () => {
    mails = await startMailServer();
    identity = await startIdentity(authority, mails);
    ours = await FederatingAnnals.begin(authority, { ANNALS_IDENTITY_PRIVATE_SERVERS: 'localhost' });
    synapse = await startSynapse(authority);
  });
  afterAll(async () => {
    for (const server of [synapse, ours, identity]) await server?.remove();
    await mails.close();
  });

  it.each([
    ['a room of ours, for somebody of Synapse', () => ({ home: ours, other: synapse })],
    ['a room of Synapse, for somebody of ours', () => ({ home: synapse, other: ours })],
  ])('leads into %s', async (into, servers) => {
    const { home, other } = servers();
    const name = into.replaceAll(/\W+/g, '-').toLowerCase();
    const inviter = await home.register(`inviter-${name}`);
    const address = `${name}@mail.example`;
    const room = await inviteByMail(await openAt(identity, mails, inviter), mails, address);
    const invited = await other.register(`invited-${name}`);
    await (await openAt(identity, mails, invited)).bind(address);
    await joinOnceInvited(room, invited, inviter);
  });
});
