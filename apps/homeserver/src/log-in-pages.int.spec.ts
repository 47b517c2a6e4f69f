import 'reflect-metadata';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, WholeServer } from '../test/whole-server.js';

const PROVIDERS = {
  providers: [{ id: 'main', name: 'Main', issuer: 'https://provider.invalid', client_id: 'x', client_secret: 'y' }],
};

describe('the pages of whole log-ins and registrations', { timeout: 60_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'annals-pages-'));
  let server: WholeServer;
  beforeAll(async () => {
    const file = join(folder, 'providers.yaml');
    writeFileSync(file, JSON.stringify(PROVIDERS));
    const settings = { ANNALS_REGISTRATION: 'token', ANNALS_RATE_LIMITS: 'on', ANNALS_SSO_PROVIDERS: file };
    server = await WholeServer.start(settings);
  });
  afterAll(async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Begins a flow in a browser, and answers how this browser asks for its page with a login token. */
  const begin = async (page: string, flow: number): Promise<(token: string) => Promise<Answer>> => {
    const { headers } = await server.request('GET', `${page}?flow=${flow}`);
    const cookie = String(headers['set-cookie']).split(';')[0]!;
    const session = /session(?:=|%3D)([\w-]+)/.exec(headers.location!)![1]!;
    return (token) => server.request('GET', `${page}?session=${session}&loginToken=${token}`, { headers: { cookie } });
  };

  it('take a login token for nothing but one: registration tokens are not guessed by it', async () => {
    const ask = await begin('/_matrix/static/client/register', 0);
    const { status, text } = await ask('guess');
    expect([status, text.includes('Registration token'), text.includes('Invalid')]).toEqual([200, true, false]);
  });

  it('take as many login tokens as there may be log-ins', async () => {
    const ask = await begin('/_matrix/static/client/login', 1);
    expect((await ask('guess')).text).toContain('Invalid login token');
    const answers = await Promise.all(Array.from({ length: 30 }, (_, n) => ask(`guess${n}`)));
    expect(answers.some(({ status }) => status === 429)).toBe(true);
  });
});
