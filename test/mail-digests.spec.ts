import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type MailServer, type ReceivedMail, startMailServer } from '#testing/mail-server';
import { annals } from './support/annals.js';
import { HAS_BROWSER, NEEDS_BROWSER, picture, RealBrowser } from './support/browser.js';
import { Client, Homeserver } from './support/homeserver.js';
import { describeWithStores, type Stores } from './support/stores.js';

const V3 = '/_matrix/client/v3';
const V1 = '/_matrix/client/api/v1';
const addressOf = (name: string): string => `${name}@mail.example`;
const pusherFor = (name: string): object => ({
  app_id: 'm.email',
  pushkey: addressOf(name),
  kind: 'email',
  app_display_name: 'Mail',
  device_display_name: addressOf(name),
  lang: 'en',
  data: {},
});

/** A server whose mails of what is unread come soon, and somebody who has an address. */
async function start(mails: MailServer, stores?: Stores): Promise<Homeserver> {
  const server = new Homeserver({ ...stores, env: { ANNALS_SMTP_URL: mails.url, ANNALS_MAIL_UNREAD_AFTER: '2s' } });
  await server.start();
  server.set({ ANNALS_PUBLIC_URL: server.base });
  await server.restart();
  return server;
}

async function registerWithAddress(server: Homeserver, mails: MailServer, name: string): Promise<Client> {
  const ask = { client_secret: 'a_secret', email: addressOf(name), send_attempt: 1 };
  const { body } = await server.request('POST', `${V3}/register/email/requestToken`, { body: ask });
  await server.request('POST', linkIn(await mails.waitFor(addressOf(name)), 'confirm'));
  const threepid_creds = { sid: body.sid, client_secret: ask.client_secret };
  const auth = { type: 'm.login.email.identity', threepid_creds };
  const wanted = { username: name, password: `password of ${name}`, auth };
  const { body: session } = await server.request('POST', `${V3}/register`, { body: wanted });
  return new Client(server, session.user_id, session.access_token, session.device_id);
}

/** The path of a link of a mail: the server is at another port after each start. */
const linkIn = ({ text }: ReceivedMail, page: string): string =>
  new RegExp(`https?://[^/\\s]+(/_matrix/static/client/${page}\\S+)`).exec(text)![1]!;

describeWithStores('mails of what is unread', (stores) => {
  let mails: MailServer;
  let server: Homeserver;
  let alice: Client;
  let bob: Client;
  let room: string;

  beforeAll(async () => {
    mails = await startMailServer();
    server = await start(mails, stores);
    alice = await registerWithAddress(server, mails, 'alice');
    bob = await server.register('bob');
    room = await bob.createRoom({ preset: 'public_chat', name: 'The pub' });
    await alice.ok('POST', `/join/${encodeURIComponent(room)}`, {});
  }, 240_000);
  afterAll(async () => {
    await server.remove();
    await mails.close();
  });

  const unreadMails = (): ReceivedMail[] => mails.received.filter(({ source }) => source.includes('List-Unsubscribe:'));
  const set = (path: string, pushkey = addressOf('alice')) =>
    server.request('POST', `${path}/pushers/set`, { token: alice.token, body: { ...pusherFor('alice'), pushkey } });

  test('are for addresses alone that were shown to be theirs, in both APIs', { timeout: 120_000 }, async () => {
    for (const path of [V3, V1]) {
      const refused = await set(path, addressOf('eve'));
      expect([refused.status, refused.body.errcode]).toEqual([400, 'M_THREEPID_NOT_FOUND']);
      expect((await set(path)).status).toBe(200);
    }
    expect((await alice.ok('GET', '/pushers')).pushers).toMatchObject([pusherFor('alice')]);
  });

  test('come once, whenever the server is killed, and end by their link', { timeout: 240_000 }, async () => {
    await bob.send(room, 'before the kill');
    await expect.poll(() => unreadMails().length).toBe(1);
    expect(unreadMails()[0]!.text).toContain('before the kill');
    // Another one is being handed over.
    mails.silent.set(addressOf('alice'), 0);
    await bob.send(room, 'within the kill');
    await expect.poll(() => mails.silent.get(addressOf('alice'))).toBeGreaterThan(0);
    await server.end('SIGKILL');
    mails.silent.clear();
    await server.start();
    await expect.poll(() => unreadMails().length).toBe(2);
    expect(unreadMails()[1]!.text).toContain('within the kill');
    // What was read is not told, by the next process either.
    const eventId = await bob.send(room, 'read');
    await alice.ok('POST', `/rooms/${encodeURIComponent(room)}/receipt/m.read/${encodeURIComponent(eventId)}`, {});
    await bob.createRoom({ name: 'A party', invite: ['@alice:e2e.example'] });
    await server.restart('SIGKILL');
    await expect.poll(() => unreadMails().length).toBe(3);
    const texts = unreadMails().map(({ text }) => text);
    expect(texts[2]).toContain('A party');
    for (const [text, number] of [
      ['before the kill', 1],
      ['within the kill', 1],
      ['  read\n', 0],
    ] as const)
      expect([text, texts.filter((one) => one.includes(text)).length]).toEqual([text, number]);
    expect(new Set(unreadMails().map(({ source }) => /^Message-ID: .*/m.exec(source)![0])).size).toBe(3);

    const ended = await server.request('POST', linkIn(unreadMails().at(-1)!, 'unsubscribe'));
    expect(ended.status).toBe(200);
    expect((await alice.ok('GET', '/pushers')).pushers).toEqual([]);
    const { length } = unreadMails();
    await bob.send(room, 'after the end');
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    expect(unreadMails()).toHaveLength(length);
  });

  test('leave a log that is whole', { timeout: 120_000 }, async () => {
    await server.end();
    expect(await annals(server, 'verify')).toMatchObject({ code: 0 });
    await server.start();
  });
});

describe.runIf(HAS_BROWSER)(`a mail of what is unread, ${NEEDS_BROWSER}`, { timeout: 240_000 }, () => {
  test('can be read', async () => {
    const mails = await startMailServer();
    const server = await start(mails);
    const browser = await RealBrowser.start();
    try {
      const alice = await registerWithAddress(server, mails, 'alice');
      const bob = await server.register('bob');
      const carol = await server.register('carol');
      for (const [user, displayname] of [
        [bob, 'Bob'],
        [carol, 'Carol'],
      ] as const)
        await user.ok('PUT', `/profile/${encodeURIComponent(user.userId)}/displayname`, { displayname });
      const pub = await bob.createRoom({ preset: 'public_chat', name: 'The pub' });
      const secret = await carol.createRoom({
        preset: 'public_chat',
        name: 'Surprise for Dave',
        initial_state: [{ type: 'm.room.encryption', content: { algorithm: 'm.megolm.v1.aes-sha2' } }],
      });
      for (const user of [alice, carol]) await user.ok('POST', `/join/${encodeURIComponent(pub)}`, {});
      await alice.ok('POST', `/join/${encodeURIComponent(secret)}`, {});
      await alice.ok('POST', '/pushers/set', { ...pusherFor('alice'), data: { brand: 'Element' } });
      await bob.send(pub, 'Who comes tonight?');
      await carol.send(pub, 'I do.\nAt eight?');
      await carol.send(secret, 'none of the mail server’s business');
      await bob.createRoom({ name: 'Quiz night', invite: ['@alice:e2e.example'] });
      const mail = await mails.waitFor(addressOf('alice'), 2);
      const page = await (await browser.newPerson()).newPage();
      const asked: string[] = [];
      page.on('request', (request) => void asked.push(request.url()));
      await page.setContent(mail.html);
      await page.getByText('Who comes tonight?').waitFor();
      await page.getByText('Bob invites you to this room.').waitFor();
      expect(await page.getByText('business').count()).toBe(0);
      await picture(page, 'mail-unread');
      // It loads nothing.
      expect(asked).toEqual([]);
      await page.goto(`${server.base}${linkIn(mail, 'unsubscribe')}`);
      await page.getByRole('button', { name: 'No more mails' }).click();
      await page.getByText('You are sent no more mails').waitFor();
      expect((await alice.ok('GET', '/pushers')).pushers).toEqual([]);
    } finally {
      await browser.close();
      await server.remove();
      await mails.close();
    }
  });
});
