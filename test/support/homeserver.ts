import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '#testing/free-port';
import { type KurrentStandIn, startKurrentStandIn } from '#testing/kurrentdb-stand-in/kurrentdb-stand-in';
import { type Log, LOG_SERVER, USUAL_LOG, type Views, VIEWS_SERVER } from './stores.js';

const START = fileURLToPath(new URL('../../apps/start.mjs', import.meta.url));
/** The first start builds, and the machine may be busy. */
const READY_WITHIN_MS = 110_000;

export interface HomeserverOptions {
  readonly log?: Log;
  readonly views?: Views;
  readonly env?: Readonly<Record<string, string>>;
  /** Where standard output goes; nowhere by default. */
  readonly stdout?: 'pipe' | number;
}

/** For suites that wait for news of rooms or devices: who is there comes and goes by itself, and ends their polls. */
export const WITHOUT_PRESENCE = { ANNALS_PRESENCE: 'off' };

/** What a request was answered. */
export interface Answer {
  readonly status: number;
  // The suites look at what they expect of each answer; nothing here knows the API.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any;
  readonly text: string;
  readonly headers: Headers;
}

export interface RequestOptions {
  readonly token?: string;
  readonly body?: unknown;
}

/** What requests can be made to. */
export interface Spoken {
  request(method: string, path: string, options?: RequestOptions): Promise<Answer>;
}

/** A started server: a process of its own, a data folder of its own, spoken to over HTTP only. */
export class Homeserver implements Spoken {
  readonly directory = mkdtempSync(join(tmpdir(), 'annals-e2e-'));
  readonly serverName = 'e2e.example';
  #process: ChildProcess | undefined;
  #port = 0;
  #standIn: KurrentStandIn | undefined;
  readonly #log: Log;
  #env: Readonly<Record<string, string>>;
  readonly #stdio: StdioOptions;

  constructor({ log = USUAL_LOG, views = 'LMDB', env = {}, stdout }: HomeserverOptions = {}) {
    this.#log = log;
    this.#stdio = ['ignore', stdout ?? 'ignore', 'inherit'];
    this.#env = {
      ANNALS_SERVER_NAME: this.serverName,
      ANNALS_DATA_DIR: this.directory,
      ANNALS_REGISTRATION: 'open',
      ANNALS_RATE_LIMITS: 'off',
      ANNALS_LOG: 'warn',
      // Nobody outside is asked for anything.
      ANNALS_FEDERATION_NOTARIES: 'off',
      // On a server that others use too, each has streams of its own.
      ANNALS_EVENT_STORE_NAMESPACE: `e2e-${basename(this.directory)
        .replace(/[^A-Za-z0-9]/g, '-')
        .toLowerCase()}`,
      ...(log === 'a server' && LOG_SERVER !== undefined ? { ANNALS_EVENT_STORE_URL: LOG_SERVER } : {}),
      ...(views === 'MongoDB' ? { ANNALS_READ_MODELS_URL: databaseOfItsOwn() } : {}),
      ...env,
    };
  }

  static async start(options?: HomeserverOptions): Promise<Homeserver> {
    const server = new Homeserver(options);
    await server.start();
    return server;
  }

  get base(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** What other programs must be told to find the log and the views of this server, beside the data folder. */
  get settings(): Record<string, string> {
    const told = ['SERVER_NAME', 'EVENT_STORE_URL', 'EVENT_STORE_NAMESPACE', 'READ_MODELS_URL'];
    return Object.fromEntries(
      Object.entries(this.#env).filter(([name]) => told.includes(name.replace(/^ANNALS_/, ''))),
    );
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** What the process writes, with `stdout: 'pipe'`: nothing is read of it unless somebody listens. */
  get stdout(): Readable {
    const stdout = this.#process?.stdout;
    if (stdout === undefined || stdout === null) throw new Error('nobody asked for the output of the server');
    return stdout;
  }

  /** Sends a signal that does not end the process. */
  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  /** Starts the process and waits until it answers. The port is a new one each time, unless one is given. */
  async start(port?: number): Promise<void> {
    this.#port = port ?? (await freePort());
    if (this.#log === 'a server' && this.#env['ANNALS_EVENT_STORE_URL'] === undefined) {
      this.#standIn = await startKurrentStandIn();
      this.#env = { ...this.#env, ANNALS_EVENT_STORE_URL: this.#standIn.url };
    }
    const child = spawn(process.execPath, [START, 'homeserver'], {
      stdio: this.#stdio,
      // A relative path, such as that of annals.yaml, is one of the data folder's.
      cwd: this.directory,
      env: { ...withoutSettings(process.env), ...this.#env, ANNALS_LISTEN: `127.0.0.1:${this.#port}` },
    });
    this.#process = child;
    const deadline = Date.now() + READY_WITHIN_MS;
    while (!(await this.#answers())) {
      if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
      if (Date.now() > deadline) throw new Error('the server did not answer in time');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Ends the process; answers its exit code (null where it was killed). */
  async end(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<number | null> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null) return child?.exitCode ?? null;
    const gone = new Promise<number | null>((resolve) => child.once('exit', resolve));
    child.kill(signal);
    return gone;
  }

  /** Ends the process and starts it on the same port: clients that run find it again. */
  async restart(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await this.end(signal);
    await this.start(this.#port);
  }

  /** Changes settings, as of the next start. */
  set(env: Readonly<Record<string, string>>): void {
    this.#env = { ...this.#env, ...env };
  }

  /** Throws the views of a stopped server away. */
  removeViews(): void {
    rmSync(join(this.directory, 'views'), { recursive: true, force: true });
    if (this.#env['ANNALS_READ_MODELS_URL'] === undefined) return;
    this.#env = { ...this.#env, ANNALS_READ_MODELS_URL: databaseOfItsOwn() };
  }

  /** Ends the process and removes its data. */
  async remove(): Promise<void> {
    await this.end();
    await this.#standIn?.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  request(method: string, path: string, options?: RequestOptions): Promise<Answer> {
    return requestAt(this.base, method, path, options);
  }

  /** A user of today's API: registers and answers a client with the user's token. */
  register(username: string, password?: string): Promise<Client> {
    return registerAt(this, username, password);
  }

  async #answers(): Promise<boolean> {
    try {
      // An identity server that is no homeserver has no such path.
      return [200, 404].includes((await fetch(`${this.base}/_matrix/client/versions`)).status);
    } catch {
      return false;
    }
  }
}

/** A logged-in user. Paths are given behind `/_matrix/client/v3` unless they are absolute. */
export class Client {
  #transactions = 0;

  constructor(
    readonly server: Spoken,
    readonly userId: string,
    readonly token: string,
    readonly deviceId: string,
  ) {}

  request(method: string, path: string, body?: unknown): Promise<Answer> {
    const full = path.startsWith('/_') ? path : `/_matrix/client/v3${path}`;
    return this.server.request(method, full, { token: this.token, body });
  }

  /** As `request`, for what must succeed: answers the body. */
  async ok(method: string, path: string, body?: unknown): Promise<Answer['body']> {
    const answer = await this.request(method, path, body);
    if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return answer.body;
  }

  async createRoom(options: object = {}): Promise<string> {
    return (await this.ok('POST', '/createRoom', options)).room_id;
  }

  async send(roomId: string, body: string, txnId = `txn${this.#transactions++}`): Promise<string> {
    const path = `/rooms/${encodeURIComponent(roomId)}/send/m.room.message/${txnId}`;
    return (await this.ok('PUT', path, { msgtype: 'm.text', body })).event_id;
  }

  sync(query: Record<string, string | number> = {}): Promise<Answer['body']> {
    const search = new URLSearchParams(
      Object.entries(query).map(([key, value]): [string, string] => [key, String(value)]),
    );
    return this.ok('GET', `/sync?${search}`);
  }
}

/** Makes a request to whatever listens at an address. */
export async function requestAt(
  base: string,
  method: string,
  path: string,
  { token, body }: RequestOptions = {},
): Promise<Answer> {
  const response = await fetch(`${base}${path}`, {
    method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, text, body: parsed(text), headers: response.headers };
}

/** The password of who registers with none that is given. */
export const passwordOf = (username: string): string => `the password of ${username}`;

/** Registers a user of today's API, where everybody may: answers a client with the user's token. */
export async function registerAt(server: Spoken, username: string, password = passwordOf(username)): Promise<Client> {
  const { body } = await server.request('POST', '/_matrix/client/v3/register', {
    body: { username, password, auth: { type: 'm.login.dummy' } },
  });
  if (typeof body?.access_token !== 'string')
    throw new Error(`${username} was not registered: ${JSON.stringify(body)}`);
  return new Client(server, body.user_id, body.access_token, body.device_id);
}

function databaseOfItsOwn(): string {
  const url = new URL(VIEWS_SERVER ?? 'mongodb://127.0.0.1:27017/');
  url.pathname = `/annals_e2e_${randomBytes(6).toString('hex')}`;
  return url.href;
}

function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('ANNALS_')));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
