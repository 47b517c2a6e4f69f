import { Logger } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { AddThreepid } from '#accounts/commands/add-threepid';
import { RemoveThreepid } from '#accounts/commands/remove-threepid';
import { RestrictAccount } from '#accounts/commands/restrict-account';
import type { RecordedFact } from '#event-store/event-store';
import type { UserId } from '#kernel/ids';
import type { PusherSet } from '#push/facts/pusher-facts';
import { type MailServer, type ReceivedMail, startMailServer } from '#testing/mail-server';
import { expectSameRowsRebuilt } from '#testing/same-rows-rebuilt';
import { roomPath, SyncApp, SyncUser } from '#testing/sync-app';
import { Digests } from './digests.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

let mails: MailServer;
let app: SyncApp;
let alice: SyncUser;
let bob: SyncUser;
let roomId: string;
let counter = 0;

beforeAll(async () => {
  mails = await startMailServer();
  const settings = { ANNALS_SMTP_URL: mails.url, ANNALS_PUBLIC_URL: 'https://a.example' };
  app = await SyncApp.start(undefined, {
    ...settings,
    ANNALS_MAIL_UNREAD_FOR_NEW_USERS: 'on',
    ANNALS_RETENTION: 'on',
  });
});
afterAll(async () => {
  await app.close();
  await mails.close();
});
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
  counter++;
  [alice, bob] = [await app.register(`alice${counter}`), await app.register(`bob${counter}`)];
  await bob.ok('PUT', `/profile/${bob.userId}/displayname`, { displayname: 'Bob' });
  roomId = await bob.createRoom({ preset: 'public_chat', name: 'The pub' });
  await alice.join(roomId);
  await link(alice);
  await set(alice);
});
afterEach(() => void vi.useRealTimers());

const addressOf = ({ userId }: SyncUser): string => `${userId.slice(1, userId.indexOf(':'))}@mail.example`;
const link = ({ userId }: SyncUser, address = addressOf({ userId } as SyncUser)): Promise<void> =>
  app
    .get(CommandBus)
    .execute(new AddThreepid(userId as UserId, { medium: 'email', address }, Date.now(), { actor: userId }));
const pusherFor = (address: string, more: object = {}): object => ({
  app_id: 'm.email',
  pushkey: address,
  kind: 'email',
  app_display_name: 'Mail',
  device_display_name: address,
  lang: 'en',
  data: { brand: 'Fluent' },
  ...more,
});
const set = (user: SyncUser, more: object = {}): Promise<unknown> =>
  user.ok('POST', '/pushers/set', pusherFor(addressOf(user), more));
const listOf = async (user: SyncUser): Promise<PusherSet[]> => (await user.ok('GET', '/pushers')).pushers;
const mailsTo = (user: SyncUser): ReceivedMail[] => mails.received.filter(({ to }) => to.includes(addressOf(user)));
const factsOf = (user: SyncUser): Promise<RecordedFact[]> => app.factsOf(`pushers-${user.userId}`);
const digestOf = async (user: SyncUser): Promise<PusherSet['digest']> =>
  (JSON.parse((await factsOf(user)).at(-1)!.data) as PusherSet).digest;
/** What is said is to be mailed from then on. */
const isNoted = (user: SyncUser): Promise<void> =>
  expect.poll(async () => (await digestOf(user))?.due_at).toBeDefined() as Promise<void>;
const read = (user: SyncUser, eventId: string): Promise<unknown> =>
  user.ok('POST', `${roomPath(roomId)}/receipt/m.read/${eventId}`, {});
/** The clock alone: everything else goes on as it does. */
const pass = async (ms: number): Promise<void> => {
  vi.setSystemTime(Date.now() + ms);
  await app.settled();
  await app.get(Digests).look();
};
const said = async (text: string, more: object = {}): Promise<string> => {
  const eventId = await bob.send(roomId, text, more);
  await isNoted(alice);
  return eventId;
};
const post = (path: string, body = ''): Promise<{ status: number; text: string }> =>
  app.callText('POST', path, 'none', body, 'application/x-www-form-urlencoded');
const pathIn = ({ text }: ReceivedMail): string => /https:\/\/a\.example(\/_matrix\/static\/\S+)/.exec(text)![1]!;

describe('what is unread', () => {
  it('is mailed after ten minutes in which it was not read, once, in plain text and in HTML', async () => {
    const eventId = await said('hello & <goodbye>');
    await pass(9 * MINUTE);
    expect(mailsTo(alice)).toEqual([]);
    await bob.send(roomId, 'and again');
    await pass(2 * MINUTE);
    const [mail, ...more] = mailsTo(alice);
    expect(more).toEqual([]);
    expect(mail!.text).toContain('--- The pub ---');
    expect(mail!.text).toMatch(/Bob, \d{4}-\d\d-\d\d \d\d:\d\d UTC:\r?\n {2}hello & <goodbye>/);
    expect(mail!.text).toContain('  and again');
    const path = [roomId, eventId].map(encodeURIComponent).join('/');
    expect(mail!.text).toContain(`https://matrix.to/#/${path}?via=`);
    expect(mail!.html).toContain('hello &#38; &#60;goodbye&#62;');
    expect(mail!.source).toMatch(/^Subject: Unread: The pub/m);
    expect(mail!.source).toMatch(/^List-Unsubscribe:\s+<https:\/\/a\.example\//m);
    expect(mail!.source).toMatch(/^Message-ID: <unread\.[0-9a-f]{32}@/m);
    await pass(HOUR);
    expect(mailsTo(alice)).toHaveLength(1);
  });

  it('is mailed no more once it is read, redacted, of somebody ignored, muted, or of a room that is left', async () => {
    const first = await said('read');
    await read(alice, first);
    await pass(11 * MINUTE);
    expect((await digestOf(alice))?.due_at).toBeUndefined();
    const second = await said('redacted');
    await bob.ok('PUT', `${roomPath(roomId)}/redact/${second}/t${counter}`, {});
    await pass(11 * MINUTE);
    const ignored = { ignored_users: { [bob.userId]: {} } };
    await said('ignored');
    await alice.ok('PUT', `/user/${alice.userId}/account_data/m.ignored_user_list`, ignored);
    await pass(11 * MINUTE);
    await alice.ok('PUT', `/user/${alice.userId}/account_data/m.ignored_user_list`, { ignored_users: {} });
    await said('muted');
    await alice.ok('PUT', `/pushrules/global/room/${roomId}`, { actions: [] });
    await pass(11 * MINUTE);
    await alice.ok('DELETE', `/pushrules/global/room/${roomId}`);
    const last = await said('left');
    await alice.leave(roomId);
    await pass(11 * MINUTE);
    expect(mailsTo(alice)).toEqual([]);
    expect(last).toBeDefined();
    expect((await digestOf(alice))?.due_at).toBeUndefined();
  });

  it('is not mailed while the account is locked, whatever came before, and with the next that comes once it is not', async () => {
    const userId = alice.userId as UserId;
    const lock = (isOn: boolean): Promise<unknown> =>
      app.get(CommandBus).execute(new RestrictAccount(userId, 'locked', isOn, { actor: userId }));
    await said('from before');
    await lock(true);
    await bob.send(roomId, 'from meanwhile');
    await pass(11 * MINUTE);
    await pass(HOUR);
    expect(mailsTo(alice)).toEqual([]);
    await lock(false);
    await said('from after');
    await pass(11 * MINUTE);
    expect(mailsTo(alice)).toHaveLength(1);
    for (const time of ['before', 'meanwhile', 'after']) expect(mailsTo(alice)[0]!.text).toContain(`from ${time}`);
  });

  it('is not mailed once the room keeps it no longer', async () => {
    await bob.setState(roomId, 'm.room.retention', { max_lifetime: 12 * MINUTE });
    await said('over by then');
    await pass(5 * MINUTE);
    await said('kept');
    await pass(8 * MINUTE);
    expect(mailsTo(alice)).toEqual([]);
    await pass(3 * MINUTE);
    const texts = mailsTo(alice).map(({ text }) => text);
    expect(texts).toEqual([expect.stringContaining('  kept')]);
    expect(texts[0]).not.toContain('over by then');
  });

  it('is mailed at intervals that grow while nobody reads it', async () => {
    await said('one');
    await pass(10 * MINUTE);
    await said('two');
    await pass(10 * MINUTE);
    expect(mailsTo(alice)).toHaveLength(2);
    await said('three');
    await pass(30 * MINUTE);
    expect(mailsTo(alice)).toHaveLength(2);
    await pass(30 * MINUTE);
    expect(mailsTo(alice)).toHaveLength(3);
    expect(mailsTo(alice)[2]!.text).not.toContain('  two');
  });

  it('of an encrypted room is a number, and of an invitation who sent it', async () => {
    await bob.setState(roomId, 'm.room.encryption', { algorithm: 'm.megolm.v1.aes-sha2' });
    await said('a secret', { 'm.mentions': { user_ids: [alice.userId] } });
    await bob.createRoom({ name: 'A party\r\nBcc: eve', invite: [alice.userId] });
    await pass(11 * MINUTE);
    const [mail] = mailsTo(alice);
    expect(mail!.text).not.toContain('secret');
    expect(mail!.text).toMatch(/\d messages?, which only your devices can read\./);
    expect(mail!.text).toContain('Bob invites you to this room.');
    expect(mail!.text).toContain('A party Bcc: eve');
    expect(mail!.source).not.toMatch(/^Bcc:/m);
    expect(mail!.to).toEqual([addressOf(alice)]);
    await pass(11 * MINUTE);
    expect(mailsTo(alice)).toHaveLength(1);
  });

  it('is noted once of all that is said, and by no message of a room of which that is so', async () => {
    await said('one');
    const { length } = await factsOf(alice);
    for (let i = 0; i < 5; i++) await bob.send(roomId, `more ${i}`);
    await app.settled();
    await expect.poll(() => app.views.effects.list().every(({ waiting }) => waiting === 0)).toBe(true);
    expect(await factsOf(alice)).toHaveLength(length);
    expect(JSON.stringify(await factsOf(alice))).not.toContain(addressOf(alice));
  });

  it('is mailed later where the mail server takes nothing now, by the same id, and never where it refuses the address', async () => {
    mails.busy.add(addressOf(alice));
    await said('one');
    await pass(11 * MINUTE);
    const { mailing } = (await digestOf(alice))!;
    expect(mailing).toMatchObject({ tries: 1 });
    await bob.send(roomId, 'two');
    mails.busy.clear();
    await pass(6 * MINUTE);
    expect(mailsTo(alice)).toHaveLength(1);
    expect(mailsTo(alice)[0]!.text).not.toContain('  two');
    // What came meanwhile is looked at too.
    await pass(10 * MINUTE);
    expect(mailsTo(alice)[1]!.text).toContain('  two');
    mails.refused.add(addressOf(alice));
    await said('three');
    await pass(2 * HOUR);
    const digest = (await digestOf(alice))!;
    expect([digest.mailing, digest.due_at]).toEqual([undefined, undefined]);
    expect(digest.refused).toMatchObject({ mails: 1 });
  });

  it('is mailed to an address that is refused no more once that was so for a day, and nothing in the log of the server names it', async () => {
    const logged = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
    mails.refused.add(addressOf(alice));
    for (const wait of [HOUR, 13 * HOUR]) {
      await said('hello');
      await pass(wait);
    }
    expect(await listOf(alice)).toHaveLength(1);
    mails.refused.clear();
    await said('reached');
    await pass(13 * HOUR);
    expect(mailsTo(alice)).toHaveLength(1);
    expect((await digestOf(alice))!.refused).toBeUndefined();
    mails.refused.add(addressOf(alice));
    for (let i = 0; i < 3; i++) {
      expect(await listOf(alice)).toHaveLength(1);
      await said('hello');
      await pass(13 * HOUR);
    }
    expect(await listOf(alice)).toEqual([]);
    expect(JSON.parse((await factsOf(alice)).at(-1)!.data)).toMatchObject({ reason: 'rejected' });
    expect(logged).toHaveBeenCalledWith('a pusher was removed whose mails are refused for good');
    expect(JSON.stringify(logged.mock.calls)).not.toContain(addressOf(alice));
    logged.mockRestore();
    mails.refused.clear();
    await set(alice);
    await said('there again');
    await pass(HOUR);
    expect(mailsTo(alice).at(-1)!.text).toContain('  there again');
  });

  it('is mailed as it was last edited, and not where it is redacted or hidden since', async () => {
    const edit = (eventId: string, body: string, more: object = {}): Promise<string> =>
      bob.send(roomId, `* ${body}`, {
        'm.new_content': { msgtype: 'm.text', body },
        'm.relates_to': { rel_type: 'm.replace', event_id: eventId },
        ...more,
      });
    const mention = { 'm.mentions': { user_ids: [alice.userId] } };
    const kept = await said('at noon');
    await edit(kept, 'at one');
    vi.setSystemTime(Date.now() + 1);
    await edit(kept, 'at two', mention);
    const gone = await said('a secret');
    await edit(gone, 'another secret', mention);
    await bob.ok('PUT', `${roomPath(roomId)}/redact/${gone}/t${counter}`, {});
    const hidden = await said('a rude word');
    await edit(hidden, 'another rude word', mention);
    await bob.ok('PUT', `${roomPath(roomId)}/send/org.matrix.msc3531.visibility/h${counter}`, {
      visible: false,
      'm.relates_to': { rel_type: 'm.reference', event_id: hidden },
    });
    await pass(11 * MINUTE);
    const [mail] = mailsTo(alice);
    expect(mail!.text.match(/at (noon|one|two)/g)).toEqual(['at two']);
    expect(mail!.text).not.toMatch(/secret|rude/);
  });

  it('is mailed by the next process, where one ended before or within, and views made anew say the same', async () => {
    await said('one');
    await app.restart();
    mails.busy.add(addressOf(alice));
    await pass(11 * MINUTE);
    const { mailing } = (await digestOf(alice))!;
    await app.restart(true);
    mails.busy.clear();
    await pass(6 * MINUTE);
    expect(mailsTo(alice)).toHaveLength(1);
    expect((await digestOf(alice))!.up_to).toBe(mailing!.up_to);
    await app.settled();
    await expectSameRowsRebuilt(app, ['pushers', 'due-digests']);
  });
});

describe('a pusher that mails', () => {
  it('is told by its address, in both APIs, and to administrators', async () => {
    expect(await listOf(alice)).toMatchObject([pusherFor(addressOf(alice))]);
    const { app_id } = { app_id: 'm.email' };
    const again = pusherFor(addressOf(alice).toUpperCase(), { lang: 'fr' });
    expect((await alice.v1('POST', '/pushers/set', again)).status).toBe(200);
    expect(await listOf(alice)).toMatchObject([{ pushkey: addressOf(alice), lang: 'fr' }]);
    await alice.v1('POST', '/pushers/set', { app_id, pushkey: addressOf(alice), kind: null });
    expect(await listOf(alice)).toEqual([]);
  });

  it.each([
    [{ pushkey: 'eve@mail.example' }, 'M_THREEPID_NOT_FOUND', 'pushkey'],
    [{ pushkey: 'no address' }, 'M_INVALID_PARAM', 'pushkey'],
    [{ pushkey: 'alice@mail.example\r\nBcc: eve@mail.example' }, 'M_INVALID_PARAM', 'pushkey'],
    [{ app_id: 'org.example' }, 'M_INVALID_PARAM', 'app_id'],
    [{ kind: 'http', data: { url: 'https://push.example/_matrix/push/v1/notify' } }, 'M_INVALID_PARAM', 'app_id'],
    [{ data: 'x' }, 'M_BAD_JSON', 'data'],
    [{ data: { brand: 'x'.repeat(20_000) } }, 'M_INVALID_PARAM', 'data'],
  ])('is refused where it is wrong: %j', async (more, errcode, key) => {
    const before = await listOf(alice);
    const { status, body } = await alice.call('POST', '/pushers/set', pusherFor(addressOf(alice), more));
    expect([status, body.errcode, String(body.error).split(':')[0]]).toEqual([400, errcode, key]);
    expect((await alice.v1('POST', '/pushers/set', pusherFor(addressOf(alice), more))).status).toBe(400);
    expect(await listOf(alice)).toEqual(before);
  });

  it('goes with its address, also where it was set behind the end of that', async () => {
    await link(alice, `other.${addressOf(alice)}`);
    await alice.ok('POST', '/pushers/set', pusherFor(`other.${addressOf(alice)}`));
    await said('hello');
    const threepid = { medium: 'email', address: addressOf(alice) } as const;
    await app.get(CommandBus).execute(new RemoveThreepid(alice.userId as UserId, threepid, { actor: alice.userId }));
    await expect.poll(() => app.views.scan('pushers', { prefix: [alice.userId], limit: 9 })).toHaveLength(1);
    await pass(11 * MINUTE);
    expect(mailsTo(alice)).toEqual([]);
    expect(mails.received.filter(({ to }) => to.includes(`other.${addressOf(alice)}`))).toHaveLength(1);
    expect(await listOf(alice)).toMatchObject([{ pushkey: `other.${addressOf(alice)}` }]);
  });

  it('mails nothing while it is off, and of that time nothing later', async () => {
    await said('before');
    await set(alice, { 'org.matrix.msc3881.enabled': false });
    await bob.send(roomId, 'meanwhile');
    await pass(HOUR);
    await set(alice, { 'org.matrix.msc3881.enabled': true });
    await said('after');
    await pass(11 * MINUTE);
    const texts = mailsTo(alice).map(({ text }) => text);
    expect(texts).toHaveLength(1);
    expect(texts[0]).toContain('  after');
    expect(texts[0]).not.toMatch(/before|meanwhile/);
  });

  it('is ended by the link in a mail: a page asks people, and programs post there', async () => {
    await said('hello');
    await pass(11 * MINUTE);
    const path = pathIn(mailsTo(alice)[0]!);
    const page = await app.callText('GET', path, 'none');
    expect([page.status, page.text]).toEqual([200, expect.stringContaining('<button>No more mails</button>')]);
    expect(await listOf(alice)).toHaveLength(1);
    expect((await post(path.slice(0, -4))).status).toBe(403);
    expect(await listOf(alice)).toHaveLength(1);
    const ended = await post(path, 'List-Unsubscribe=One-Click');
    expect([ended.status, ended.text]).toEqual([200, expect.stringContaining('You are sent no more mails')]);
    expect(await listOf(alice)).toEqual([]);
    expect((await post(path)).status).toBe(200);
    await bob.send(roomId, 'more');
    await pass(HOUR);
    expect(mailsTo(alice)).toHaveLength(1);
  });
});

describe('a new account', () => {
  it('has its address mailed where the operator wants that, and not one that it adds later', async () => {
    const name = `carol${counter}`;
    const email = `${name}@mail.example`;
    const ask = { client_secret: 'secret', email, send_attempt: 1 };
    const begun = await app.call('POST', '/_matrix/client/v3/register/email/requestToken', undefined, ask);
    await post(pathIn(await mails.waitFor(email)));
    const threepid_creds = { sid: begun.body.sid, client_secret: ask.client_secret };
    const auth = { type: 'm.login.email.identity', threepid_creds };
    const wanted = { username: name, password: `password of ${name}`, auth };
    const { body } = await app.call('POST', '/_matrix/client/v3/register', undefined, wanted);
    const carol = new SyncUser(app, body.user_id, body.access_token);
    await expect.poll(() => listOf(carol)).toMatchObject([{ kind: 'email', app_id: 'm.email', pushkey: email }]);
    await link(carol, `later.${email}`);
    await app.settled();
    await carol.ok('POST', '/logout', {});
    const laptop = await carol.logIn();
    await app.settled();
    expect(await listOf(laptop)).toHaveLength(1);
  });
});
