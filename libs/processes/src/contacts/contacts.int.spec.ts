import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CommandBus } from '@nestjs/cqrs';
import { BY_SERVER } from '#accounts/accounts';
import { AddThreepid } from '#accounts/commands/add-threepid';
import { ProvideAccount } from '#accounts/commands/provide-account';
import { ExternalIds } from '#accounts/external-ids';
import { AccessLists } from '#accounts/reading/access-lists';
import type { RecordedFact } from '#event-store/event-store';
import { parseThreepid } from '#accounts/threepids/threepid';
import type { UserId } from '#kernel/ids';
import { MemoryEventStore } from '#testing/memory-event-store';
import { MemoryReadModels } from '#testing/memory-read-models';
import { expectSameRowsRebuilt } from '#testing/same-rows-rebuilt';
import { type SyncAnswer, SyncApp, type SyncUser } from '#testing/sync-app';

const BOOKS = {
  '2015': '/_matrix/client/api/v1/contacts',
  today: '/_matrix/client/unstable/dev.annals.contacts',
} as const;
const SECRET = 'Zoë of the secret word';

let app: SyncApp;
let alice: SyncUser;

let count = 0;

beforeAll(async () => {
  app = await SyncApp.start();
});
afterAll(() => app.close());
beforeEach(async () => {
  alice = await app.register(`alice${++count}`);
});

/** What somebody is answered who may be refused. */
const ask = (
  who: SyncUser,
  method: 'GET' | 'PUT' | 'POST' | 'DELETE',
  path: string,
  body?: object,
): Promise<SyncAnswer> => app.call(method, path, who.token, body);
const mail = (name: string): object => ({ medium: 'email', address: `${name}@example.org` });

interface Book {
  put(...contacts: object[]): Promise<string[]>;
  list(query?: string): Promise<Record<string, unknown>>;
  ask(method: 'GET' | 'PUT' | 'POST' | 'DELETE', path: string, body?: object): Promise<Record<string, unknown>>;
}

function bookOf(who: SyncUser, door: keyof typeof BOOKS): Book {
  const told: Book['ask'] = async (method, path, body) => {
    const answer = await ask(who, method, BOOKS[door] + path, body);
    expect(answer).toMatchObject({ status: 200 });
    return answer.body as Record<string, unknown>;
  };
  return {
    ask: told,
    put: async (...contacts) => (await told('POST', '', { contacts }))['contact_ids'] as string[],
    list: (query = '') => told('GET', query),
  };
}

const factsOf = (who: SyncUser): Promise<RecordedFact[]> => app.factsOf(`contacts-${who.userId}`);

describe.each(['2015', 'today'] as const)('an address book, through the door of %s', (door) => {
  it('takes contacts, merges them, and tells the people that they are of', async () => {
    const book = bookOf(alice, door);
    const ids = await book.put(
      { name: 'Bob', threepids: [{ ...mail('BOB'), label: 'home' }] },
      { name: 'Eve', user_ids: ['@EVE:a.example'] },
      {
        name: 'Robert',
        threepids: [mail('bob'), { medium: 'msisdn', address: '+49 30 123456' }],
        'org.pet': { is: 'cat' },
      },
    );
    expect(new Set(ids).size).toBe(3);
    const { chunk } = (await book.list()) as { chunk: Record<string, unknown>[] };
    expect(chunk).toHaveLength(2);
    expect(chunk.find((person) => person['name'] === 'Eve')).toEqual({
      contact_id: ids[1],
      contact_ids: [ids[1]],
      name: 'Eve',
      user_ids: ['@eve:a.example'],
    });
    const bob = chunk.find((person) => person['name'] !== 'Eve');
    expect(bob).toMatchObject({ contact_ids: [ids[0], ids[2]].toSorted(), 'org.pet': { is: 'cat' } });
    expect(bob?.['threepids']).toHaveLength(2);
    await book.ask('PUT', `/shared/email/${encodeURIComponent('bob@example.org')}`, {});
    expect((await book.list())['chunk']).toHaveLength(3);
    expect(await book.ask('GET', '/shared')).toEqual({ shared: [mail('bob')] });
    await book.ask('DELETE', `/shared/email/${encodeURIComponent('bob@example.org')}`);
    expect((await book.list())['chunk']).toHaveLength(2);
    await book.ask('DELETE', `/cards/${ids[2]}`);
    expect((await book.list())['chunk']).toMatchObject([
      { contact_ids: [expect.any(String)] },
      { contact_ids: [expect.any(String)] },
    ]);
    await expectSameRowsRebuilt(app, ['contacts']);
  });

  it('keeps one contact once, by its uid or word by word', async () => {
    const book = bookOf(alice, door);
    const [one] = await book.put({ uid: 'u1', name: 'Bob' });
    expect(await book.put({ uid: 'u1', name: 'Bobby' }, { name: 'Eve' }, { name: 'Eve' })).toEqual([
      one,
      expect.any(String),
      expect.any(String),
    ]);
    expect((await book.list())['chunk']).toHaveLength(2);
    expect(await book.ask('GET', `/cards/${one}`)).toEqual({ contact_id: one, uid: 'u1', name: 'Bobby' });
    const before = (await factsOf(alice)).length;
    await book.put({ uid: 'u1', name: 'Bobby' }, { name: 'Eve' });
    expect(await factsOf(alice)).toHaveLength(before);
  });

  it('is read in pages', async () => {
    const book = bookOf(alice, door);
    const ids = (await book.put(...Array.from({ length: 5 }, (_, n) => ({ name: `N${n}` })))).toSorted();
    const read: unknown[] = [];
    let from: string | undefined;
    for (let page = 0; page < 4; page++) {
      const query = `?limit=2${from === undefined ? '' : `&from=${from}`}`;
      const answer = (await book.list(query)) as { chunk: { contact_id: string }[]; end?: string; next_batch?: string };
      read.push(...answer.chunk.map(({ contact_id: id }) => id));
      from = door === 'today' ? answer.next_batch : answer.end;
      if (answer.chunk.length < 2 || from === undefined) break;
    }
    expect(read).toEqual(ids);
  });

  it('may be put again under the same transaction, at whatever door is a POST', async () => {
    const book = bookOf(alice, door);
    const first = await book.ask('PUT', '/t1', { contacts: [{ name: 'Bob' }] });
    expect(await book.ask('PUT', '/t1', { contacts: [{ name: 'Eve' }] })).toEqual(first);
    expect((await book.list())['chunk']).toMatchObject([{ name: 'Bob' }]);
  });

  it('takes and gives vCards', async () => {
    const book = bookOf(alice, door);
    const cards = [
      [
        'BEGIN:VCARD',
        'VERSION:3.0',
        'UID:u1',
        'FN:Bob',
        'TEL;TYPE=cell:030 123456',
        'PHOTO;ENCODING=b:AAAA',
        'END:VCARD',
      ],
      ['BEGIN:VCARD', 'VERSION:4.0', 'FN:Eve', 'EMAIL:eve@example.org', 'END:VCARD', ''],
    ];
    const text = cards.map((lines) => lines.join('\r\n')).join('\r\n');
    const path = `${BOOKS[door]}?country=DE`;
    expect((await app.callText('POST', path, alice.token, text, 'text/vcard; charset=utf-8')).status).toBe(200);
    expect((await book.list())['chunk']).toHaveLength(2);
    const out = await app.callText('GET', `${BOOKS[door]}/vcard`, alice.token);
    expect(out.text).toContain('TEL;TYPE=cell;VALUE=uri:tel:+4930123456');
    expect(out.text.split('BEGIN:VCARD')).toHaveLength(3);
  });

  it('is its own: nobody else sees anything of it, nor changes it', async () => {
    const [id] = await bookOf(alice, door).put({ name: 'Bob' });
    const bob = await app.register(`bob${count}`);
    expect((await bookOf(bob, door).list())['chunk']).toEqual([]);
    for (const [method, path] of [
      ['GET', `/cards/${id}`],
      ['DELETE', `/cards/${id}`],
    ] as const) {
      expect((await ask(bob, method, `${BOOKS[door]}${path}`)).status).toBe(404);
    }
  });

  it('refuses what is no contact, and keeps nothing of that', async () => {
    const wrong = [
      { name: 5 },
      {},
      { threepids: [{ medium: 'email', address: 'nobody' }] },
      { user_ids: ['bob'] },
      [],
      'x',
      { note: 'x'.repeat(17_000) },
    ];
    for (const contact of wrong) {
      const body = { contacts: [{ name: 'fine' }, contact] };
      const answer = await ask(alice, 'POST', BOOKS[door], body);
      expect([contact, answer.status]).toEqual([contact, answer.status === 413 ? 413 : 400]);
    }
    for (const query of ['?limit=x', '?from=!', '?country=Germany']) {
      const [method, body] = query.includes('country') ? (['POST', { contacts: [] }] as const) : (['GET'] as const);
      expect([query, (await ask(alice, method, `${BOOKS[door]}${query}`, body)).status]).toEqual([query, 400]);
    }
    expect(await factsOf(alice)).toEqual([]);
  });
});

describe('what an address book said', () => {
  it('is in no file of the log once the book is emptied', async () => {
    const book = bookOf(alice, 'today');
    await book.put({ name: SECRET }, { note: SECRET });
    const filesWithIt = (): number => {
      const folder = resolve(app.directory, 'log');
      const files = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
      return files.filter(({ name }) => readFileSync(resolve(folder, name), 'utf8').includes(SECRET)).length;
    };
    expect(filesWithIt()).toBe(1);
    await book.ask('DELETE', '');
    expect((await book.list())['chunk']).toEqual([]);
    await expect.poll(filesWithIt).toBe(0);
    await book.put({ name: 'Bob' });
    expect((await book.list())['chunk']).toMatchObject([{ name: 'Bob' }]);
  });

  it('is kept short where a contact changes all the time', async () => {
    const book = bookOf(alice, 'today');
    for (let n = 0; n < 600; n++) await book.put({ uid: 'u1', name: `N${n}` });
    await expect.poll(async () => (await factsOf(alice)).length).toBeLessThan(200);
    expect((await book.list())['chunk']).toMatchObject([{ name: 'N599' }]);
    await book.put({ uid: 'u1', name: 'last' });
    expect((await book.list())['chunk']).toMatchObject([{ name: 'last' }]);
    await expectSameRowsRebuilt(app, ['contacts']);
  });
});

describe('a field of a profile for contacts', () => {
  it('is read by who is in the address book of its owner', async () => {
    const [bob, eve] = [await app.register('bob'), await app.register('eve')];
    await bookOf(alice, 'today').put({ user_ids: [bob.userId] });
    const path = `/profile/${alice.userId}/org.example.pet`;
    await alice.ok('PUT', path, { 'org.example.pet': 'cat' });
    await alice.ok('PUT', `/_matrix/client/unstable/dev.annals.profile/${alice.userId}/org.example.pet/readers`, {
      readers: ['contacts'],
    });
    expect(await bob.ok('GET', path)).toEqual({ 'org.example.pet': 'cat' });
    expect((await ask(eve, 'GET', `/_matrix/client/v3${path}`)).status).toBe(404);
    const lists = app.get(AccessLists);
    expect(await lists.read(alice.userId as UserId, eve.userId as UserId).isOn(['contacts'])).toBe(false);
  });
});

describe('the users of this server whose addresses an address book has', () => {
  const withMail = async (name: string): Promise<SyncUser> => {
    const user = await app.register(`${name}${count}`);
    const address = parseThreepid('email', `${user.userId.slice(1).replace(':', '.')}@example.org`);
    await app.get(CommandBus).execute(new AddThreepid(user.userId as UserId, address, 5, BY_SERVER));
    return user;
  };
  const mailOf = (user: SyncUser): object => mail(user.userId.slice(1).replace(':', '.'));

  it.each(['2015', 'today'] as const)(
    'are told where they let themselves be found, through the door of %s',
    async (door) => {
      const [bob, book] = [await withMail('bob'), bookOf(alice, door)];
      await book.put({ name: 'Bob', threepids: [mailOf(bob)] });
      const found = async (): Promise<unknown> =>
        ((await book.list())['chunk'] as Record<string, unknown>[])[0]?.['user_ids'];
      const root =
        door === 'today' ? '/_matrix/client/unstable/dev.annals.threepids' : '/_matrix/client/api/v1/threepids';
      const letIn = (...readers: string[]): Promise<unknown> =>
        bob.ok('PUT', `${root}/${bob.userId}/email/readers`, { readers });
      expect(await found()).toBeUndefined();
      await letIn('everybody');
      expect(await found()).toEqual([bob.userId]);
      await letIn('contacts');
      expect(await found()).toBeUndefined();
      await bookOf(bob, door).put({ user_ids: [alice.userId] });
      expect(await found()).toEqual([bob.userId]);
      await bob.ok('DELETE', `${root}/${bob.userId}/email/readers`);
      expect(await found()).toBeUndefined();
      expect((await ask(bob, 'PUT', `${root}/${bob.userId}/fax/readers`, { readers: [] })).status).toBe(400);
      expect((await ask(alice, 'PUT', `${root}/${bob.userId}/email/readers`, { readers: ['everybody'] })).status).toBe(
        403,
      );
    },
  );

  it('are told by their accounts elsewhere, too, where they let themselves be found by those', async () => {
    const bob = await app.register(`bob${count}`);
    const account = { provider: 'company', subject: `b:${count}` };
    await app.get(ExternalIds).link(account, bob.userId as UserId, BY_SERVER);
    const book = bookOf(alice, 'today');
    const threepids = [{ medium: 'dev.annals.account', address: `company:b:${count}` }];
    await book.put({ name: 'Bob', threepids });
    const found = async (): Promise<unknown> =>
      ((await book.list())['chunk'] as Record<string, unknown>[])[0]?.['user_ids'];
    const readers = `/_matrix/client/unstable/dev.annals.threepids/${bob.userId}/dev.annals.account/readers`;
    expect(await found()).toBeUndefined();
    await bob.ok('PUT', readers, { readers: ['everybody'] });
    expect(await found()).toEqual([bob.userId]);
    await app.get(CommandBus).execute(new ProvideAccount(bob.userId as UserId, { externalIds: [] }, BY_SERVER));
    await expect.poll(found).toBeUndefined();
    const nameless = [{ medium: 'dev.annals.account', address: 'company' }];
    expect((await ask(alice, 'POST', BOOKS.today, { contacts: [{ threepids: nameless }] })).status).toBe(400);
  });

  it('are contacts, whether or not they let themselves be found', async () => {
    const bob = await withMail('bob');
    const account = { provider: 'company', subject: `dora ${count}` };
    const dora = await app.register(`dora${count}`);
    await app.get(ExternalIds).link(account, dora.userId as UserId, BY_SERVER);
    const elsewhere = { medium: 'dev.annals.account', address: `company:dora ${count}` };
    await bookOf(alice, 'today').put({ threepids: [mailOf(bob)] }, { threepids: [elsewhere] });
    const readers = ['contacts'] as const;
    const isOn = (reader: SyncUser): Promise<boolean> =>
      app
        .get(AccessLists)
        .read(alice.userId as UserId, reader.userId as UserId)
        .isOn(readers);
    await expect.poll(() => isOn(dora)).toBe(true);
    expect([await isOn(bob), await isOn(await withMail('eve'))]).toEqual([true, false]);
  });
});

describe('what an address book does not say any more', () => {
  it('leaves the log once it says something else, and all of it with the account', async () => {
    await app.close();
    const store = new MemoryEventStore();
    app = await SyncApp.start({ store, readModels: new MemoryReadModels() });
    alice = await app.register('alice');
    const text = (): string => store.facts.map(({ data }) => data).join('\n');
    const book = bookOf(alice, 'today');
    const [one, two] = await book.put({ uid: 'u1', name: SECRET }, { name: `${SECRET} too` });
    await book.put({ uid: 'u1', name: 'Bob' });
    await expect.poll(text).not.toContain(`"${SECRET}"`);
    await book.ask('DELETE', `/cards/${two}`);
    await expect.poll(text).not.toContain(SECRET);
    expect(await book.ask('GET', `/cards/${one}`)).toMatchObject({ name: 'Bob' });
    await book.put({ name: SECRET });
    await expectSameRowsRebuilt(app, ['contacts']);
    await alice.close();
    await expect.poll(text).not.toContain(SECRET);
    await expect.poll(() => factsOf(alice).then((facts) => facts.map(({ type }) => type))).toEqual(['contacts-ended']);
    await expectSameRowsRebuilt(app, ['contacts']);
  });
});
