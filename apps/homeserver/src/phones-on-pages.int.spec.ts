import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Accounts } from '#accounts/accounts';
import type { UserId } from '#kernel/ids';
import { startTextGateway, type TextGateway } from '#testing/text-gateway';
import { PageReader } from '../test/page-reader.js';
import { type Answer, WholeServer } from '../test/whole-server.js';

describe('where an account has a phone number', { timeout: 60_000 }, () => {
  let texts: TextGateway;
  let server: WholeServer;
  let browser: PageReader;
  beforeAll(async () => {
    texts = await startTextGateway();
    const settings = { ANNALS_REGISTRATION_PHONE: 'required', ANNALS_TEXT_MESSAGES: texts.url };
    server = await WholeServer.start({ ANNALS_OAUTH: 'on', ...settings });
  });
  afterAll(async () => {
    await server.close();
    await texts.close();
  });

  /** Where an answer leads that was given at a path; that path where it leads nowhere. */
  const placeAfter = ({ headers }: Answer, path: string): string => {
    const { pathname, search } = new URL(headers.location ?? path, `http://here${path}`);
    return `${pathname}${search}`;
  };
  /** Shows on the page of the stage, in a browser of its own, that a number is somebody's; answers the page behind it. */
  const show = async (path: string, digits: string): Promise<{ page: Answer; at: string; before: string }> => {
    browser = new PageReader(server);
    const at = placeAfter(await browser.get(path), path);
    expect((await browser.get(at)).text).toContain('name="phone_number"');
    await browser.post(at, { phone_number: `+${digits}`, country: 'DE' });
    const waiting = (await browser.get(at)).text;
    expect(waiting).toContain('name="code"');
    // A message that does not come, or went elsewhere, is no dead end.
    const [, again] = /href="([^"]*)">Begin again/.exec(waiting)!;
    const fresh = await browser.get(again!.replaceAll('&#38;', '&'));
    expect([fresh.status < 400, fresh.text.includes('name="code"')]).toEqual([true, false]);
    const next = placeAfter(await browser.post(at, { code: await texts.codeFor(`+${digits}`) }), at);
    return { page: await browser.get(next), at: next, before: at };
  };
  const addressesOf = async (name: string): Promise<readonly string[]> => {
    const { threepids } = await server.get(Accounts).load(`@${name}:a.example` as UserId);
    return [...threepids.keys()];
  };

  it('who registers on the account page has the one that they have shown there', async () => {
    const { page, at, before } = await show('/_annals/sign-up', '4915112345001');
    // The form of the stage, sent twice, is none of a name and a password.
    for (const again of [await browser.post(before, { code: '1' }), await browser.get(before)])
      expect([again.status, placeAfter(again, at)]).toEqual([303, at]);
    const fields = { username: 'anna', password: 'a password', repeated: 'a password' };
    const registered = await browser.send(page, '/_annals/sign-up', fields);
    expect([registered.status, await addressesOf('anna')]).toEqual([303, ['msisdn 4915112345001']]);
  });

  it('who registers on the pages for clients that have none of their own has it, too', async () => {
    const { at } = await show('/_matrix/static/client/register?flow=0', '4915112345002');
    const registered = await browser.post(at, { user: 'bella', password: 'a password' });
    expect([registered.status, await addressesOf('bella')]).toEqual([200, ['msisdn 4915112345002']]);
  });
});
