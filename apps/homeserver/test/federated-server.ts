import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '#config/config';
import { openLog } from '#observability/logger';
import { PEER_AUTHORITY } from '#testing/fake-peer';
import { freePort } from '#testing/free-port';
import { type RunningServer, startServer } from '../src/server.js';

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

type Settings = Readonly<Record<string, string>>;

// The suites look at what they expect of each answer; nothing here knows the API.
// oxlint-disable-next-line typescript/no-explicit-any
type Body = any;

/** Somebody with an account there. */
export interface FederatedUser {
  readonly userId: string;
  readonly token: string;
  /** Paths are behind `/_matrix/client/v3` unless they are whole. */
  call(method: Method, path: string, body?: object): Promise<{ readonly status: number; readonly body: Body }>;
  /** As `call`, for what must succeed. */
  ok(method: Method, path: string, body?: object): Promise<Body>;
}

/** A whole server in this process that federates over TLS on loopback, under a name with its port: with others such, and with fake peers. */
export class FederatedServer {
  private constructor(
    readonly name: string,
    private readonly directory: string,
    private settings: Settings,
    private server: RunningServer,
  ) {}

  /** `settings`: of its own; where they depend on its name, what makes them of that. */
  static async start(settings: Settings | ((name: string) => Settings) = {}): Promise<FederatedServer> {
    const directory = mkdtempSync(join(tmpdir(), 'annals-federated-'));
    const { certificate, key } = PEER_AUTHORITY.issue();
    const file = (name: string, text: string): string => {
      writeFileSync(join(directory, name), text);
      return join(directory, name);
    };
    const port = await freePort();
    const name = `localhost:${port}`;
    const whole = {
      ANNALS_SERVER_NAME: name,
      ANNALS_LISTEN: '127.0.0.1:0',
      ANNALS_FEDERATION_LISTEN: `127.0.0.1:${port}`,
      ANNALS_FEDERATION_ALLOW_PRIVATE: 'true',
      ANNALS_FEDERATION_NOTARIES: 'off',
      ANNALS_TLS_CERT: file('tls.crt', certificate),
      ANNALS_TLS_KEY: file('tls.key', key),
      ANNALS_TLS_CA: file('ca.crt', PEER_AUTHORITY.certificate),
      ANNALS_DATA_DIR: join(directory, 'data'),
      ANNALS_REGISTRATION: 'open',
      ANNALS_RATE_LIMITS: 'off',
      ANNALS_LOG: 'silent',
      ...(typeof settings === 'function' ? settings(name) : settings),
    };
    return new FederatedServer(name, directory, whole, await startWith(whole));
  }

  /** Its data folder. */
  get folder(): string {
    return loadConfig(this.settings).dataDir;
  }

  /** Where other servers find it. */
  get origin(): string {
    return `https://${this.name}`;
  }

  async register(username: string): Promise<FederatedUser> {
    const body = { username, password: 'a password', auth: { type: 'm.login.dummy' } };
    const answer = await this.#request('POST', '/register', undefined, body);
    const { user_id: userId, access_token: token } = answer.body as Record<string, string>;
    if (userId === undefined || token === undefined) throw new Error(`no account: ${JSON.stringify(answer)}`);
    return this.#userWith(userId, token);
  }

  /** Whoever has a token. */
  async as(token: string): Promise<FederatedUser> {
    const { body } = await this.#request('GET', '/account/whoami', token, undefined);
    return this.#userWith(String(body.user_id), token);
  }

  #userWith(userId: string, token: string): FederatedUser {
    const call: FederatedUser['call'] = (method, path, content) => this.#request(method, path, token, content);
    return {
      userId,
      token,
      call,
      async ok(method, path, content) {
        const { status, body: answered } = await call(method, path, content);
        if (status !== 200) throw new Error(`${method} ${path}: ${status} ${JSON.stringify(answered)}`);
        return answered;
      },
    };
  }

  /** Ends it, and starts it again after something else, with other settings where there are some. */
  async whileAway(work: () => Promise<void> = async () => {}, settings: Settings = {}): Promise<void> {
    await this.server.drain();
    await work();
    this.settings = { ...this.settings, ...settings };
    this.server = await startWith(this.settings);
  }

  /** Where its clients find it, and who asks for metrics. */
  get address(): string {
    return this.server.address;
  }

  /** The sizes of all files in a folder of its data, whatever folders they are in there. */
  sizesIn(folder: string): number[] {
    const path = join(this.folder, folder);
    if (!existsSync(path)) return [];
    return readdirSync(path, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => statSync(join(entry.parentPath, entry.name)).size);
  }

  /** Ends it. */
  async stop(): Promise<void> {
    await this.server.drain();
    rmSync(this.directory, { recursive: true, force: true });
  }

  async #request(
    method: Method,
    path: string,
    token: string | undefined,
    content: object | undefined,
  ): Promise<{ status: number; body: Body }> {
    const url = `${this.server.address}${path.startsWith('/_') ? path : `/_matrix/client/v3${path}`}`;
    const headers = token === undefined ? undefined : { authorization: `Bearer ${token}` };
    const body = content === undefined ? undefined : JSON.stringify(content);
    const answer = await fetch(url, { method, headers, body });
    return { status: answer.status, body: await answer.json() };
  }
}

async function startWith(settings: Settings): Promise<RunningServer> {
  const config = loadConfig(settings);
  return startServer(config, await openLog(config.log), () => {});
}
