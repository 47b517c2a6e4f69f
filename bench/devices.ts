import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Figure, median, percentile, under } from './figures.js';
import { durableAppends } from './floor.js';
import { type BenchUser, RunningServer } from './running-server.js';

const KEYS = 50;
const ROUNDS = 60;
const WARM_UPS = 10;
const RECEIVERS = 200;
const CLAIMS = 100;
const ROUNDS_OF_CLAIMS = 20;
/** What the ciphertext of a megolm key for one device takes, as clients encrypt it. */
const CIPHERTEXT = 900;

interface BenchDevice extends BenchUser {
  readonly deviceId: string;
}

/** Uploads of one-time keys, a megolm key to many devices in one request, and claims of the keys of one device at once. */
export async function benchDevices(): Promise<Figure[]> {
  const server = await RunningServer.start({ connections: CLAIMS });
  try {
    const devices: BenchDevice[] = [];
    for (let i = 0; i < RECEIVERS; i += 8) {
      devices.push(...(await Promise.all(Array.from({ length: 8 }, (_, j) => deviceOf(server, `user${i + j}`)))));
    }
    const [uploads, sends] = [await benchUploads(server, devices), await benchMegolmKey(server, devices)];
    return [...uploads, ...sends, ...(await benchClaims(server, devices))];
  } finally {
    await server.stop();
  }
}

async function deviceOf(server: RunningServer, name: string): Promise<BenchDevice> {
  const user = await server.register(name);
  const { device_id: deviceId } = await server.call<{ device_id: string }>(
    'GET',
    '/_matrix/client/v3/account/whoami',
    user.token,
  );
  return { ...user, deviceId };
}

/** 50 one-time keys of a device that has none. */
async function benchUploads(server: RunningServer, devices: readonly BenchDevice[]): Promise<Figure[]> {
  const uploads = devices
    .slice(0, ROUNDS + WARM_UPS)
    .map((device) => ({ device, body: oneTimeKeysOf(device, 0, KEYS) }));
  const bytes = JSON.stringify(uploads[0]!.body).length;
  const measured = await besideAppends(server, bytes, uploads, ({ device, body }) =>
    server.text('POST', '/_matrix/client/v3/keys/upload', device.token, body),
  );
  return figuresOf(`upload of ${KEYS} one-time keys`, 10, measured, `durable append of ${bytes} bytes, ms`);
}

/** What a client sends when it begins to speak in a room of as many devices: one request with another ciphertext for each. */
async function benchMegolmKey(server: RunningServer, devices: readonly BenchDevice[]): Promise<Figure[]> {
  const messages = Object.fromEntries(devices.map(({ userId, deviceId }, i) => [userId, { [deviceId]: encrypted(i) }]));
  const bytes = JSON.stringify(messages).length;
  const sends = Array.from({ length: ROUNDS + WARM_UPS }, (_, i) => i);
  const measured = await besideAppends(server, bytes, sends, (i) =>
    server.text('PUT', `/_matrix/client/v3/sendToDevice/m.room.encrypted/${i}`, devices[0]!.token, { messages }),
  );
  return figuresOf(`a megolm key to ${RECEIVERS} devices`, 15, measured, `durable append of ${bytes} bytes, ms`);
}

/** 100 users who write to one device at the same time. The floor is as many requests that only tell who asks. */
async function benchClaims(server: RunningServer, devices: readonly BenchDevice[]): Promise<Figure[]> {
  const owner = devices.at(-1)!;
  const claim = { one_time_keys: { [owner.userId]: { [owner.deviceId]: 'signed_curve25519' } } };
  const others = Array.from({ length: CLAIMS }, (_, i) => devices[i]!);
  const atOnce = async (ask: (device: BenchDevice) => Promise<unknown>): Promise<number> => {
    const started = performance.now();
    await Promise.all(others.map(ask));
    return performance.now() - started;
  };
  const times: number[] = [];
  const floors: number[] = [];
  let processor = 0;
  for (let round = 0; round < ROUNDS_OF_CLAIMS; round++) {
    const keys = oneTimeKeysOf(owner, round * CLAIMS, CLAIMS);
    await server.text('POST', '/_matrix/client/v3/keys/upload', owner.token, keys);
    floors.push(await atOnce(({ token }) => server.text('GET', '/_matrix/client/v3/account/whoami', token)));
    const given = new Set<string>();
    const before = server.processorMs();
    times.push(
      await atOnce(async ({ token }) =>
        given.add(await server.text('POST', '/_matrix/client/v3/keys/claim', token, claim)),
      ),
    );
    processor += server.processorMs() - before;
    if (given.size !== CLAIMS) throw new Error(`${CLAIMS} claims were given ${given.size} keys`);
  }
  const measured = { times: times.slice(2), floor: median(floors.slice(2)), processor: processor / times.length };
  return figuresOf(`${CLAIMS} claims at once`, 100, measured, `${CLAIMS} times whoami at once, ms`);
}

interface Measured {
  /** How long each took. */
  readonly times: readonly number[];
  readonly floor: number;
  /** What the server took of the processors' time for each, with what followed from it. */
  readonly processor: number;
}

/** Pieces of work one after another, and bare durable appends of as many bytes in turns with them. */
async function besideAppends<T>(
  server: RunningServer,
  bytes: number,
  pieces: readonly T[],
  work: (piece: T) => Promise<unknown>,
): Promise<Measured> {
  const directory = mkdtempSync(join(tmpdir(), 'annals-floor-'));
  const times: number[] = [];
  const floors: number[] = [];
  let before = 0;
  try {
    for (const [i, piece] of pieces.entries()) {
      if (i === WARM_UPS) before = server.processorMs();
      const started = performance.now();
      await work(piece);
      if (i >= WARM_UPS) times.push(performance.now() - started);
      if (i % 10 === 9)
        floors.push(1_000 / (await durableAppends(join(directory, String(i)), 1, bytes, 0.2)).perSecond);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return { times, floor: median(floors), processor: (server.processorMs() - before) / times.length };
}

function figuresOf(name: string, aim: number, { times, floor, processor }: Measured, floorName: string): Figure[] {
  return [
    { ...under(`${name}: median`, 'ms', median(times), aim), floor, floorName },
    { ...under(`${name}: p90`, 'ms', percentile(times, 90), aim), floor, floorName },
    under(`${name}: time of the processors`, 'ms', processor, aim),
  ];
}

function oneTimeKeysOf({ userId, deviceId }: BenchDevice, first: number, count: number): object {
  const signatures = { [userId]: { [`ed25519:${deviceId}`]: 's'.repeat(86) } };
  const keys = Array.from({ length: count }, (_, i) => {
    const id = String(first + i).padStart(11, 'A');
    return [`signed_curve25519:${id}`, { key: id.padEnd(43, 'k'), signatures }] as const;
  });
  return { one_time_keys: Object.fromEntries(keys) };
}

function encrypted(i: number): object {
  return {
    algorithm: 'm.olm.v1.curve25519-aes-sha2',
    sender_key: 'k'.repeat(43),
    ciphertext: { [String(i).padEnd(43, 'r')]: { type: 1, body: 'c'.repeat(CIPHERTEXT) } },
    'org.matrix.msgid': String(i).padStart(32, '0'),
  };
}
