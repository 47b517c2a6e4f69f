import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '#testing/free-port';
import { HAS_BROWSER, NEEDS_BROWSER, RealBrowser } from './support/browser.js';
import { Homeserver, passwordOf } from './support/homeserver.js';

/** The program of test/clients/rust: `.ci/clients.sh rust` builds it. */
const PROGRAM = process.env['CLIENT_RUST'];
const NEEDS = `where CLIENT_RUST names the built program; ${NEEDS_BROWSER}`;

describe.skipIf(PROGRAM === undefined || !HAS_BROWSER)(`a user of Element X's core, by OAuth (${NEEDS})`, () => {
  let server: Homeserver;
  let browser: RealBrowser;

  beforeAll(async () => {
    const port = await freePort();
    server = new Homeserver({ env: { ANNALS_OAUTH: 'on', ANNALS_PUBLIC_URL: `http://127.0.0.1:${port}` } });
    [browser] = await Promise.all([RealBrowser.start(), server.start(port)]);
    await server.register('rosa');
  });
  afterAll(async () => {
    await browser.close();
    await server.remove();
  });

  test('is let in at the page, renews its tokens, and resets the identity, which is allowed at the account page', async () => {
    const person = await browser.newPerson();
    const callback = 'http://127.0.0.1:9/callback';
    await person.route(`${callback}**`, (route) => route.fulfill({ body: 'Back in the application' }));
    const page = await person.newPage();
    const env = { ...process.env, TMPDIR: server.directory };
    const child = spawn(PROGRAM ?? '', ['oauth', server.base], { stdio: ['pipe', 'pipe', 'inherit'], env });
    const ended = once(child, 'close');
    const saw: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      const [word, url] = line.split(' ');
      if (word === 'allow') {
        await page.goto(url!);
        await page.getByLabel('Your password').fill(passwordOf('rosa'));
        await page.getByRole('button', { name: 'Allow it' }).click();
        continue;
      }
      if (word !== 'open') {
        saw.push(line);
        continue;
      }
      await page.goto(url!);
      await page.getByLabel('User name').fill('rosa');
      await page.getByLabel('Password').fill(passwordOf('rosa'));
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('button', { name: 'Let it in' }).click();
      await page.waitForURL(`${callback}?*`);
      child.stdin.write(`${page.url()}\n`);
    }
    expect([saw, await ended]).toEqual([
      ['logged in by OAuth', 'renewed its tokens', "had its user's identity reset"],
      [0, null],
    ]);
  }, 120_000);
});
