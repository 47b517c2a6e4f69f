// Whoever lives knows what they are answered.
// oxlint-disable-next-line typescript/no-explicit-any
type Body = any;

/** A text that is to be shown as it is, wherever it is shown. */
export const HOSTILE = `<script>alert(1)</script>"'><img src=x onerror=alert(1)>`;

export const UNSTABLE = '/_matrix/client/unstable';

/** Somebody with an account, and what they can do. */
export interface Living {
  readonly userId: string;
  /** Another person of this server. */
  readonly friend: { readonly userId: string; readonly token: string };
  /** What must succeed, as this person where no token is given. Paths are behind `/_matrix/client/v3` unless they are whole. */
  call(method: string, path: string, body?: object, token?: string): Promise<Body>;
  upload(filename: string, content: string): Promise<void>;
  /** Shows a mail address to be theirs. */
  addAddress(address: string): Promise<void>;
  /** Has an account at the provider `work` that is theirs. */
  link(subject: string): Promise<void>;
  /** What they write, by the kind of data that it is: the text as it is, unless a test has them write something else. */
  mark?(kind: string, text: string): string;
}

/** What a key is to be: as long as one. */
const KEY_LENGTH = 43;

/** Somebody does all that there is to do on one server, so that there is something of every kind that people are handed. Answers the room in which they talk. */
export async function liveHere(person: Living): Promise<string> {
  const life = new Life(person);
  await life.introduceThemself();
  await life.makeKeys();
  const roomId = await life.talk();
  await life.knowPeople();
  return roomId;
}

class Life {
  readonly #call: Living['call'];
  readonly #mark: NonNullable<Living['mark']>;

  constructor(private readonly person: Living) {
    this.#call = (...request) => person.call(...request);
    this.#mark = (kind, text) => person.mark?.(kind, text) ?? text;
  }

  async introduceThemself(): Promise<void> {
    const { userId } = this.person;
    const [call, mark] = [this.#call, this.#mark];
    await call('PUT', `/profile/${userId}/displayname`, { displayname: mark('profile', HOSTILE) });
    await call('PUT', `/profile/${userId}/m.tz`, { 'm.tz': 'Europe/London' });
    await call('PUT', `${UNSTABLE}/dev.annals.profile/${userId}/m.tz/readers`, { readers: ['contacts'] });
    await call('PUT', `/user/${userId}/account_data/org.example.secret`, { only: mark('account-data', 'mine') });
    await call('PUT', `${UNSTABLE}/dev.annals.user_data/${userId}/org.example.secret/readers`, { readers: ['rooms'] });
    await call('POST', `/user/${userId}/filter`, { room: { timeline: { limit: 3 } } });
    const status_msg = mark('presence', 'writing');
    await call('PUT', `/presence/${userId}/status`, { presence: 'online', status_msg });
    await call('PUT', '/pushrules/global/content/beer', { actions: ['notify'], pattern: 'beer' });
    await call('POST', '/pushers/set', {
      app_id: 'org.example',
      pushkey: mark('pushers', 'a push key'),
      kind: 'http',
      lang: 'en',
      app_display_name: 'App',
      device_display_name: 'Phone',
      data: { url: 'https://push.example.org/_matrix/push/v1/notify' },
    });
  }

  async makeKeys(): Promise<void> {
    const [call, mark] = [this.#call, this.#mark];
    const key = (kind: string, letter: string): string => mark(kind, letter).padEnd(KEY_LENGTH, letter);
    const { user_id, device_id } = await call('GET', '/account/whoami');
    const algorithms = ['m.megolm.v1.aes-sha2'];
    const keys = {
      [`ed25519:${device_id}`]: key('device-keys', 'A'),
      [`curve25519:${device_id}`]: 'B'.repeat(KEY_LENGTH),
    };
    await call('POST', '/keys/upload', {
      device_keys: { user_id, device_id, algorithms, keys, signatures: {} },
      one_time_keys: { 'curve25519:AAAA': key('key-counts', 'C') },
    });
    const master = key('cross-signing-keys', 'D');
    const master_key = { user_id, usage: ['master'], keys: { [`ed25519:${master}`]: master } };
    await call('POST', '/keys/device_signing/upload', { master_key });
    const { version } = await call('POST', '/room_keys/version', {
      algorithm: 'm.megolm_backup.v1.curve25519-aes-sha2',
      auth_data: { public_key: key('key-backup-versions', 'E') },
    });
    const session = {
      first_message_index: 0,
      forwarded_count: 0,
      is_verified: true,
      session_data: { ciphertext: mark('backed-up-keys', 'sealed') },
    };
    await call('PUT', `/room_keys/keys/!r:x/session?version=${version}`, session);
  }

  async talk(): Promise<string> {
    const { friend } = this.person;
    const [call, mark] = [this.#call, this.#mark];
    const made = await call('POST', '/createRoom', {
      preset: 'public_chat',
      name: mark('name of a room', HOSTILE),
      room_alias_name: mark('aliases', 'pub'),
    });
    const roomId = String(made.room_id);
    const inRoom = (path: string): string => `/rooms/${encodeURIComponent(roomId)}${path}`;
    const say = (body: string, txn: string, token?: string): Promise<Body> =>
      call('PUT', inRoom(`/send/m.room.message/${txn}`), { msgtype: 'm.text', body }, token);
    await call('POST', inRoom('/join'), {}, friend.token);
    const said = await say(mark('events', 'hello, this is mine'), '1');
    await say(HOSTILE, '2');
    const oops = await say(mark('what was redacted', 'never to be seen again'), '3');
    await call('PUT', inRoom(`/redact/${oops.event_id}/4`), {});
    await call('PUT', inRoom('/send/m.room.encrypted/5'), {
      algorithm: 'm.megolm.v1.aes-sha2',
      ciphertext: mark('what is encrypted', 'sealed by Alice'),
      session_id: 'S',
      device_id: 'D',
    });
    const theirs = await say('a beer for Alice, said by Bob', '1', friend.token);
    await call('POST', inRoom(`/receipt/m.read/${theirs.event_id}`), {});
    await call('POST', inRoom(`/report/${theirs.event_id}`), { reason: mark('reports', 'rude') });
    await call('PUT', `${UNSTABLE}/io.element.msc4306${inRoom(`/thread/${said.event_id}/subscription`)}`, {});
    await call('PUT', inRoom('/send/m.room.message/6?org.matrix.msc4140.delay=3600000'), {
      msgtype: 'm.text',
      body: mark('delayed-events', 'later'),
    });
    await this.#comeAndGo();
    await this.person.upload(`../${mark('name of a file', 'holiday')}.txt`, mark('media', 'the picture of a holiday'));
    return roomId;
  }

  async #comeAndGo(): Promise<void> {
    const { userId, friend } = this.person;
    const call = this.#call;
    const { room_id: invited } = await call('POST', '/createRoom', { name: 'A party' }, friend.token);
    await call('POST', `/rooms/${encodeURIComponent(invited)}/invite`, { user_id: userId }, friend.token);
    // What it is called since is nobody's business who left.
    const { room_id: left } = await call(
      'POST',
      '/createRoom',
      { name: 'Before', preset: 'public_chat' },
      friend.token,
    );
    await call('POST', `/rooms/${encodeURIComponent(left)}/join`, {});
    await call('POST', `/rooms/${encodeURIComponent(left)}/leave`, {});
    const renamed = { name: 'Renamed behind her' };
    await call('PUT', `/rooms/${encodeURIComponent(left)}/state/m.room.name/`, renamed, friend.token);
  }

  async knowPeople(): Promise<void> {
    const { userId, friend } = this.person;
    const [call, mark] = [this.#call, this.#mark];
    await call('POST', `${UNSTABLE}/dev.annals.presence_list/${userId}`, { invite: [friend.userId] });
    await call('PUT', `${UNSTABLE}/dev.annals.contacts/cards/bob`, {
      name: 'Bob',
      user_ids: [friend.userId],
      note: mark('contacts', HOSTILE),
    });
    const office = `${mark('shared-addresses', 'office')}@example.org`;
    await call('PUT', `${UNSTABLE}/dev.annals.contacts/shared/email/${office}`, {});
    await this.person.addAddress(`${mark('addresses', 'alice')}@example.org`);
    await this.person.link(mark('accounts-elsewhere', 'alice at work'));
  }
}
