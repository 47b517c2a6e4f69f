import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { START } from '#kernel/position';
import { startControlServer } from '#projections/control-server';
import type { ControlRequest } from '#projections/control-socket';
import { DataFolder } from '#testing/data-folder';
import { FakePeer, PEER_AUTHORITY } from '#testing/fake-peer';
import { TestAuthority } from '#testing/test-authority';
import { recordedTerminal } from '../../test/recorded-terminal.js';
import { testInstallation } from '../../test/test-installation.js';
import type { Check } from '../doctor/check.js';
import { EXIT } from '../failure.js';
import { CONTROL_SOCKET } from '../installation.js';
import { runFederation } from './run-federation.js';

let folder: DataFolder;
let peer: FakePeer;
let trusting: Record<string, string>;

beforeEach(async () => {
  folder = new DataFolder();
  peer = await FakePeer.start();
  const path = join(folder.path, 'ca.pem');
  writeFileSync(path, PEER_AUTHORITY.certificate);
  trusting = { ANNALS_TLS_CA: path, ANNALS_FEDERATION_ALLOW_PRIVATE: 'true' };
});
afterEach(async () => {
  await peer.stop();
  folder.remove();
});

async function look(
  name: string | undefined,
  settings = trusting,
): Promise<{ code: number; checks: Map<string, Check> }> {
  const terminal = recordedTerminal();
  const none = () => Promise.reject(Object.assign(new Error('none'), { code: 'ENOTFOUND' }));
  const options = { json: true, resolveSrv: none };
  const code = await runFederation(testInstallation(folder.path, settings), terminal, name, options);
  const checks = terminal.lines.map((line) => JSON.parse(line) as Check);
  return { code, checks: new Map(checks.map((check) => [check.name, check])) };
}

const textsOf = (checks: Map<string, Check>): string[] =>
  [...checks.values()].map(({ level, name, text }) => `${level} ${name}: ${text}`);

test('a server that is well is told from its name to its keys', async () => {
  const { code, checks } = await look(peer.name);
  const [settings, found, certificate, version, keys, alone] = textsOf(checks);
  expect(code).toBe(EXIT.ok);
  expect(settings).toBe(`ok settings: this server speaks to ${peer.name}`);
  expect(found).toBe(`ok discovery 2: ${peer.name} is a name with a port: ${peer.name}`);
  expect(certificate).toMatch(
    /^warn certificate of localhost:\d+: at (127\.0\.0\.1|::1), TLSv1\.3: by Authority of a test \w+ for DNS:localhost, IP Address:127\.0\.0\.1, until \d{4}-/,
  );
  expect(version).toBe('ok version: Fake 1');
  expect(keys).toMatch(/^ok keys: ed25519:k7, valid until 2096-.*; signed by themselves$/);
  expect(alone).toBe('ok left alone: no server runs here that could leave it alone');
});

test('every step of the way to a server that is not there is told', async () => {
  const { code, checks } = await look('nowhere.invalid');
  expect(code).toBe(EXIT.found);
  expect([...checks.keys()]).toEqual([
    'settings',
    'discovery 3',
    'discovery 4',
    'discovery 5',
    'discovery 6',
    'certificate of nowhere.invalid:8448',
    'left alone',
    'refused',
  ]);
  expect(checks.get('discovery 6')?.text).toBe('nowhere.invalid:8448');
  expect(checks.get('certificate of nowhere.invalid:8448')?.level).toBe('fail');
});

test('a certificate that is not believed is shown with the reason', async () => {
  writeFileSync(trusting['ANNALS_TLS_CA']!, new TestAuthority().certificate);
  const { code, checks } = await look(peer.name);
  expect(code).toBe(EXIT.found);
  expect(checks.get(`certificate of ${peer.name}`)).toMatchObject({
    level: 'fail',
    text: expect.stringMatching(/for DNS:localhost.*not believed: UNABLE_TO_VERIFY/),
    advice: expect.stringContaining('ANNALS_TLS_CA'),
  });
  expect([peer.calls.length, checks.has('version')]).toEqual([0, false]);
});

test('no private address is connected to, and the setting for that is named', async () => {
  const { checks } = await look('127.0.0.1:1', { ANNALS_TLS_CA: trusting['ANNALS_TLS_CA']! });
  expect(checks.get('certificate of 127.0.0.1:1')).toMatchObject({
    level: 'fail',
    advice: expect.stringContaining('ANNALS_FEDERATION_ALLOW_PRIVATE'),
  });
});

test('keys that the server has not signed, and what is no Matrix server, are failures', async () => {
  peer.on('GET', '/_matrix/key/v2/server', () => ({ body: { ...peer.keys(), valid_until_ts: 5 } }));
  peer.on('GET', '/_matrix/federation/v1/version', () => ({ status: 404, body: {} }));
  const { checks } = await look(peer.name);
  expect(checks.get('keys')).toMatchObject({ level: 'fail', text: expect.stringContaining('does not hold') });
  expect(checks.get('version')).toMatchObject({ level: 'fail', text: expect.stringContaining('answers 404') });
});

test('who is not to be spoken to is told so, and what the running server knows of a silence', async () => {
  const silence = { failures: 3, reason: 'connect ECONNREFUSED', remainingMs: 40_000 };
  const since = { stream: 'room-!r', revision: 1, position: START, log_id: null, at: 0 };
  const behind = { since, failures: 2, retry_at: 60_000, error: 'it is dead' };
  const methods = {
    'federation.left-alone': ({ server }: ControlRequest) => (server === peer.name ? silence : null),
    'federation.destination': () => ({ waiting: 0, isSending: false, behind }),
  };
  const control = await startControlServer(join(folder.path, CONTROL_SOCKET), methods);
  const { checks } = await look(peer.name, { ...trusting, ANNALS_FEDERATION_DENY: 'localhost' });
  await control.close();
  expect(checks.get('settings')).toMatchObject({
    level: 'fail',
    advice: expect.stringContaining('ANNALS_FEDERATION_DENY'),
  });
  expect(checks.get('left alone')).toMatchObject({
    level: 'warn',
    text: 'it did not answer 3 times in a row, and is left alone for 40 s: connect ECONNREFUSED',
  });
  expect(checks.get('sending')).toMatchObject({
    level: 'warn',
    text:
      'it may lack what was for it since 1970-01-01T00:00:00.000Z, and accepted nothing since the start; nothing waits for it; ' +
      'tried 2 times in vain, again at 1970-01-01T00:01:00.000Z: it is dead',
  });
});

test('without a name it is this server as others see it', async () => {
  const { checks } = await look(undefined, { ...trusting, ANNALS_SERVER_NAME: peer.name });
  expect(checks.get('settings')?.text).toBe(`${peer.name} is this server: as others see it`);
  expect([checks.get('keys')?.level, checks.has('left alone')]).toEqual(['ok', false]);
  await expect(look('no name')).rejects.toThrow('no name is not the name of a server');
});
