import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type MailServer, startMailServer } from '#testing/mail-server';
import { TestAuthority } from '#testing/test-authority';
import { FederatingAnnals } from './support/federation/federating-annals.js';
import { inviteByMail, joinOnceInvited, openAt, SOON, startIdentity } from './support/identity.js';

// Servers are killed and started.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const authority = new TestAuthority();
const closing: (() => Promise<unknown>)[] = [];
let mails: MailServer;

beforeAll(async () => {
  mails = await startMailServer();
});
afterAll(async () => {
  for (const close of closing.toReversed()) await close();
  await mails.close();
});

const started = (server: FederatingAnnals): FederatingAnnals => {
  closing.push(() => server.remove());
  return server;
};

async function keyOf(server: FederatingAnnals): Promise<string> {
  const { body } = await server.request('GET', '/_matrix/key/v2/server');
  return (Object.values(body.verify_keys) as { key: string }[])[0]!.key;
}

describe('two identity servers that trust each other', () => {
  let a: FederatingAnnals;
  let b: FederatingAnnals;
  beforeAll(async () => {
    a = started(await startIdentity(authority, mails));
    b = started(await startIdentity(authority, mails));
    const [ofA, ofB] = [`${a.name} ${await keyOf(a)}`, `${b.name} ${await keyOf(b)}`];
    a.set({ ANNALS_IDENTITY_PEERS: ofB });
    b.set({ ANNALS_IDENTITY_PEERS: ofA });
    await a.restart();
    await b.restart();
  });

  it('find people by what either knows, and forget what was undone, whichever is killed meanwhile', async () => {
    const alice = await a.register('alice');
    const [atA, atB] = [await openAt(a, mails, alice), await openAt(b, mails, alice)];
    const session = await atA.bind('alice@mail.example');
    await a.restart('SIGKILL');
    await expect.poll(() => atB.lookUp('alice@mail.example'), SOON).toBe(alice.userId);
    await b.end('SIGKILL');
    expect((await atA.unbind('alice@mail.example', session)).status).toBe(200);
    await a.restart('SIGKILL');
    await b.restart();
    await expect.poll(() => atB.lookUp('alice@mail.example'), SOON).toBeUndefined();
    expect(await atA.lookUp('alice@mail.example')).toBeUndefined();
    await b.end('SIGKILL');
    b.removeViews();
    await b.restart();
    expect(await atB.lookUp('alice@mail.example')).toBeUndefined();
  });
});

describe('an invitation by a mail address', () => {
  let identity: FederatingAnnals;
  let home: FederatingAnnals;
  beforeAll(async () => {
    identity = started(await startIdentity(authority, mails));
    home = started(await FederatingAnnals.begin(authority, { ANNALS_IDENTITY_PRIVATE_SERVERS: 'localhost' }));
  });

  it('leads from a mail into the room, for who registers on another server and shows that the address is theirs', async () => {
    const other = started(await FederatingAnnals.begin(authority));
    const alice = await home.register('alice');
    const room = await inviteByMail(await openAt(identity, mails, alice), mails, 'bob@mail.example');
    const bob = await other.register('bob');
    await (await openAt(identity, mails, bob)).bind('bob@mail.example');
    await joinOnceInvited(room, bob, alice);
  });

  it('is not lost where the homeserver is away, and the identity server is killed, as the address is made known', async () => {
    const anna = await home.register('anna');
    const room = await inviteByMail(await openAt(identity, mails, anna), mails, 'ben@mail.example');
    const ben = await home.register('ben');
    const atIdentity = await openAt(identity, mails, ben);
    home.line.cut();
    await atIdentity.bind('ben@mail.example');
    await identity.restart('SIGKILL');
    home.line.mend();
    await identity.restart('SIGKILL');
    await joinOnceInvited(room, ben, anna);
  });
});
