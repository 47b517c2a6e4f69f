import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, test } from 'vitest';
import { readZip } from '#testing/read-zip';
import { freePort } from '#testing/free-port';
import { annals } from './support/annals.js';
import { HAS_BROWSER, NEEDS_BROWSER, picture, RealBrowser } from './support/browser.js';
import { type Client, Homeserver, passwordOf } from './support/homeserver.js';
import { describeWithStores } from './support/stores.js';

const HOSTILE = `<img src=x onerror="document.title='run'"><script>document.title='run'</script>`;
const DATA = '/_annals/account/data';

/** Somebody who has a name, a room, words, an edit, a file and a friend. */
async function live(alice: Client, bob: Client): Promise<{ readonly roomId: string }> {
  await alice.ok('PUT', `/profile/${alice.userId}/displayname`, { displayname: `Alice ${HOSTILE}` });
  await alice.createRoom({ name: HOSTILE });
  const roomId = await alice.createRoom({ preset: 'public_chat', name: 'Kitchen' });
  await bob.ok('POST', `/join/${encodeURIComponent(roomId)}`, {});
  for (const body of ['What shall we cook?', 'Soup.', HOSTILE]) await alice.send(roomId, body);
  const oops = await alice.send(roomId, 'the combination of the safe');
  await alice.ok('PUT', `/rooms/${encodeURIComponent(roomId)}/redact/${encodeURIComponent(oops)}/r`, {});
  await bob.send(roomId, 'Bob would like pancakes.');
  await alice.ok('PUT', `/user/${alice.userId}/account_data/org.example.list`, { milk: 2 });
  const answer = await fetch(`${(alice.server as Homeserver).base}/_matrix/media/v3/upload?filename=recipe.txt`, {
    method: 'POST',
    headers: { authorization: `Bearer ${alice.token}`, 'content-type': 'text/plain' },
    body: 'Soup: water, and what there is.',
  });
  expect(answer.status).toBe(200);
  return { roomId };
}

/** All files of a folder by their paths in it. */
function filesOf(folder: string): Map<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = entries.map((entry) => join(entry.parentPath, entry.name)).toSorted();
  return new Map(paths.map((path) => [path.slice(folder.length + 1), readFileSync(path, 'utf8')]));
}

/** Those that do not say when they were made. */
const lasting = (files: ReadonlyMap<string, string>): [string, string][] =>
  [...files].filter(([path]) => path !== 'index.html' && path !== 'export.json').toSorted();

describeWithStores('"annals users export"', (stores) => {
  let server: Homeserver;
  let folder: string;

  beforeAll(async () => {
    server = await Homeserver.start(stores);
    folder = mkdtempSync(join(tmpdir(), 'annals-handed-'));
  });
  afterAll(async () => {
    await server.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  it('hands over what somebody has, and the same after the views were made anew', { timeout: 120_000 }, async () => {
    const [alice, bob] = [await server.register('alice'), await server.register('bob')];
    const { roomId } = await live(alice, bob);
    const [first, second] = [join(folder, 'first'), join(folder, 'second')];
    const exported = await annals(server, 'users', 'export', '@alice:e2e.example', '--to', first);
    expect(exported).toMatchObject({ code: 0, output: expect.stringContaining(`begin with ${first}/index.html`) });
    expect(statSync(first).mode & 0o777).toBe(0o700);
    const files = filesOf(first);
    const events = JSON.parse(files.get('json/events-0001.json')!) as {
      records: { room_id: string; sender: string }[];
    };
    expect(events.records.length).toBeGreaterThan(4);
    for (const event of events.records) expect(event).toMatchObject({ sender: alice.userId });
    expect(new Set(events.records.map((event) => event.room_id))).toContain(roomId);
    const all = [...files.values()].join('\n');
    expect(all).not.toMatch(/the combination of the safe|Bob would like pancakes/);
    expect(all).not.toContain(alice.token);
    expect(files.get('files/000001-recipe.txt')).toBe('Soup: water, and what there is.');

    expect(await annals(server, 'users', 'export', 'alice', '--to', first)).toMatchObject({ code: 1 });
    expect((await annals(server, 'replay')).code).toBe(0);
    expect((await annals(server, 'users', 'export', 'alice', '--to', second)).code).toBe(0);
    expect(lasting(filesOf(second))).toEqual(lasting(files));
  });

  it('refuses whom it does not know, and leaves nothing then', { timeout: 120_000 }, async () => {
    const to = join(folder, 'nobody');
    for (const name of ['nobody', '@alice:elsewhere.example'])
      expect(await annals(server, 'users', 'export', name, '--to', to)).toMatchObject({ code: 1 });
    expect(existsSync(to)).toBe(false);
  });
});

describe.runIf(HAS_BROWSER)(`what people take along themselves (${NEEDS_BROWSER})`, { timeout: 120_000 }, () => {
  let server: Homeserver;
  let browser: RealBrowser;
  let person: BrowserContext;
  let page: Page;
  let folder: string;

  beforeAll(async () => {
    const port = await freePort();
    const started = new Homeserver({ env: { ANNALS_OAUTH: 'on', ANNALS_PUBLIC_URL: `http://127.0.0.1:${port}` } });
    [browser] = await Promise.all([RealBrowser.start(), started.start(port)]);
    server = started;
    folder = mkdtempSync(join(tmpdir(), 'annals-taken-'));
  });
  afterAll(async () => {
    await browser.close();
    await server.remove();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    person = await browser.newPerson({ acceptDownloads: true });
    page = await person.newPage();
  });
  afterEach(() => person.close());

  test('is one file by a page that shows where their data is, and pages that are read without any server', async () => {
    await live(await server.register('alice'), await server.register('bob'));
    await page.goto(server.base + DATA);
    await page.getByLabel('User name').fill('alice');
    await page.getByLabel('Password').fill(passwordOf('alice'));
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { name: 'Where it is' }).waitFor();
    await page.getByRole('heading', { name: 'Other servers' }).waitFor();
    await page.getByLabel('Your password').fill('wrong');
    await page.getByRole('button', { name: 'Download' }).click();
    await page.getByRole('alert').waitFor();
    await picture(page, 'personal-data-page');
    await page.getByLabel('Your password').fill(passwordOf('alice'));
    const [taken] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download' }).click(),
    ]);
    expect(taken.suggestedFilename()).toMatch(/^annals-data-\d{4}-\d\d-\d\d\.zip$/);
    for (const [path, content] of readZip(readFileSync(await taken.path()))) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), content);
    }
    await server.end();
    await read();
  });

  async function read(): Promise<void> {
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    const complaints: string[] = [];
    page.on('console', (message) => complaints.push(message.text()));
    await page.goto(pathToFileURL(join(folder, 'index.html')).href);
    await page.getByRole('heading', { name: 'What e2e.example has of @alice:e2e.example' }).waitFor();
    await picture(page, 'personal-data-index');
    await page.getByRole('link', { name: 'Kitchen' }).click();
    await page.getByText('What shall we cook?').waitFor();
    // What is hostile is text, as it was written.
    await page.getByText(HOSTILE, { exact: true }).waitFor();
    await page.getByText('Message, redacted').waitFor();
    await picture(page, 'personal-data-room');
    await page.getByRole('link', { name: 'All of the export' }).click();
    await page.getByRole('link', { name: HOSTILE, exact: true }).click();
    await page.getByRole('heading', { name: HOSTILE, exact: true }).waitFor();
    await page.getByRole('link', { name: 'All of the export' }).click();
    await page.getByRole('link', { name: 'Profile', exact: true }).click();
    await page.getByText(`Alice ${HOSTILE}`).first().waitFor();
    expect(await page.title()).not.toBe('run');
    expect(complaints).toEqual([]);
    expect(asked.filter((url) => !url.startsWith('file://'))).toEqual([]);
  }
});
