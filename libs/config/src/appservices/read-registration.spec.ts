import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { RoomAlias, ServerName, UserId } from '#kernel/ids';
import { registrationText } from '#testing/registration-file';
import { readRegistration, RegistrationFaults } from './read-registration.js';

const SERVER = 'example.org' as ServerName;
const read = (keys: Record<string, unknown> = {}) => readRegistration(registrationText(keys), SERVER);

function faultsOf(text: string): readonly string[] {
  try {
    readRegistration(text, SERVER);
    return [];
  } catch (error) {
    if (!(error instanceof RegistrationFaults)) throw error;
    return error.faults;
  }
}

describe('a registration file', () => {
  it('is read in YAML, with keys that only the service knows', () => {
    const service = readRegistration(
      `
id: "IRC Bridge"
url: http://127.0.0.1:1234/
as_token: 30c05ae
hs_token: 312df52
sender_localpart: _irc_bot
rate_limited: false
protocols: [irc]
io.element.msc4190: true
de.sorunome.msc2409.push_ephemeral: true
namespaces:
  users:
    - exclusive: true
      regex: "@_irc_bridge_.*"
      group_id: "+irc:example.org"
  aliases:
    - exclusive: false
      regex: '#_irc_bridge_.*:example\\.org'
  rooms: []
`,
      SERVER,
    );
    expect(service).toMatchObject({
      id: 'IRC Bridge',
      url: 'http://127.0.0.1:1234',
      sender: '@_irc_bot:example.org',
      isRateLimited: false,
      protocols: ['irc'],
      receivesEphemeral: true,
      hsToken: '312df52',
    });
    expect(service.hasAlias('#_irc_bridge_a:example.org' as RoomAlias)).toBe(true);
    expect(service.hasAlias('#_irc_bridge_a:exampleXorg' as RoomAlias)).toBe(false);
    expect(service.ownsAlias('#_irc_bridge_a:example.org' as RoomAlias)).toBe(false);
  });

  it('tells every fault there is, and no token', () => {
    expect(
      faultsOf(
        registrationText({
          id: '',
          url: 'ftp://here',
          as_token: 'a secret',
          hs_token: undefined,
          sender_localpart: 'Bot',
          rate_limited: 'no',
          protocols: 'irc',
          namespaces: { users: [{ regex: '(', exclusive: 1 }, 'all'], rooms: {} },
        }),
      ),
    ).toEqual([
      'id: must be a text of 1 to 255 bytes',
      'as_token: must be a text of printable ASCII without spaces',
      'hs_token: required: a text of printable ASCII without spaces',
      'sender_localpart: must be a localpart of a-z, 0-9 and ._=/+-',
      'url: must be an http or https URL, or null',
      'rate_limited: must be true or false',
      'protocols: must be a list of texts',
      'namespaces.users[0].exclusive: must be true or false',
      'namespaces.users[0].regex: must be a regular expression',
      'namespaces.users[1]: must be a mapping',
      'namespaces.rooms: must be a list',
    ]);
  });

  it.each([
    ['as_token: {secret', 'not YAML (BAD_INDENT'],
    ['- as_token: secret', 'not a mapping'],
    ['', 'not a mapping'],
  ])('is refused as a whole where it is %j', (text, fault) => {
    expect(faultsOf(text).join()).toContain(fault);
    expect(faultsOf(text).join()).not.toContain('secret');
  });

  it('shows its tokens to nobody who logs it', () => {
    expect(`${JSON.stringify(read())} ${inspect(read(), { showHidden: true, depth: 5 })}`).not.toMatch(/token-of/);
  });
});

describe('a namespace', () => {
  it('holds users of this server alone, and the sender', () => {
    const service = read({ namespaces: { users: [{ exclusive: true, regex: '@_bridge_.*' }] } });
    const has = (userId: string): boolean => service.hasUser(userId as UserId);
    expect(has('@_bridge_alice:example.org')).toBe(true);
    expect(has('@_bridge_bot:example.org')).toBe(true);
    expect(has('@_bridge_alice:elsewhere.org')).toBe(false);
    expect(has('@alice_bridge_:example.org')).toBe(false);
    expect(read({ namespaces: {} }).hasUser('@_bridge_bot:example.org' as UserId)).toBe(true);
  });

  it('takes escapes that a stricter grammar refuses', () => {
    const service = read({ namespaces: { users: [{ exclusive: true, regex: '@\\_bridge\\-.*' }] } });
    expect(service.hasUser('@_bridge-alice:example.org' as UserId)).toBe(true);
  });
});
