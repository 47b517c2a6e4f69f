import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';

const MAIN = fileURLToPath(new URL('../bundle/homeserver.js', import.meta.url));

/** A user logged in on a running server. */
export interface BenchUser {
  readonly userId: string;
  readonly token: string;
}

/** A homeserver in a process and a data folder of its own, and a client with many connections to it. */
export class RunningServer {
  private constructor(
    readonly directory: string,
    readonly base: string,
    readonly process: ChildProcess,
    readonly pool: Pool,
    /** From the start of the process to the first answer. */
    readonly startMs: number,
  ) {}

  static async start(
    options: { directory?: string; env?: NodeJS.ProcessEnv; connections?: number } = {},
  ): Promise<RunningServer> {
    const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'annals-bench-'));
    const port = await freePort();
    const base = `http://127.0.0.1:${port}`;
    const started = performance.now();
    const child = spawn(process.execPath, [MAIN], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {
        ...process.env,
        ANNALS_SERVER_NAME: 'bench.example',
        ANNALS_LISTEN: `127.0.0.1:${port}`,
        ANNALS_DATA_DIR: directory,
        ANNALS_REGISTRATION: 'open',
        ANNALS_RATE_LIMITS: 'off',
        ANNALS_LOG: 'warn',
        ...options.env,
      },
    });
    const pool = new Pool(base, {
      connections: options.connections ?? 80,
      headersTimeout: 120_000,
      bodyTimeout: 120_000,
    });
    await untilAnswers(pool, child);
    return new RunningServer(directory, base, child, pool, performance.now() - started);
  }

  /** One request; throws where the answer is not 2xx. */
  async call<T>(method: 'GET' | 'POST' | 'PUT', path: string, token?: string, body?: unknown): Promise<T> {
    return JSON.parse(await this.text(method, path, token, body)) as T;
  }

  /** As `call`, without parsing the answer. */
  async text(method: 'GET' | 'POST' | 'PUT', path: string, token?: string, body?: unknown): Promise<string> {
    const response = await this.pool.request({
      method,
      path,
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.body.text();
    if (response.statusCode >= 300) throw new Error(`${method} ${path}: ${response.statusCode} ${text}`);
    return text;
  }

  async register(name: string): Promise<BenchUser> {
    const auth = { type: 'm.login.dummy' };
    const body = { username: name, password: `password of ${name}`, auth };
    const made = await this.call<{ user_id: string; access_token: string }>(
      'POST',
      '/_matrix/client/v3/register',
      '',
      body,
    );
    return { userId: made.user_id, token: made.access_token };
  }

  async createRoom(user: BenchUser, options: object = {}): Promise<string> {
    const body = { preset: 'public_chat', ...options };
    return (await this.call<{ room_id: string }>('POST', '/_matrix/client/v3/createRoom', user.token, body)).room_id;
  }

  /** Resident memory in MB. */
  residentMB(): number {
    const status = readFileSync(`/proc/${this.process.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024;
  }

  /** What the process has taken of the processors' time so far, in milliseconds. */
  processorMs(): number {
    const [, fields = ''] = readFileSync(`/proc/${this.process.pid}/stat`, 'utf8').split(') ');
    const [user, system] = fields.split(' ').slice(11, 13).map(Number);
    return (user! + system!) * 10; // in hundredths of a second
  }

  /** Ends the process in order. The data folder stays where `keep` is given. */
  async stop({ keep = false } = {}): Promise<void> {
    await this.pool.destroy();
    const gone = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill('SIGTERM');
    await gone;
    if (!keep) rmSync(this.directory, { recursive: true, force: true });
  }
}

async function untilAnswers(pool: Pool, child: ChildProcess): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
    try {
      const { statusCode, body } = await pool.request({ method: 'GET', path: '/_matrix/client/versions' });
      await body.dump();
      if (statusCode === 200) return;
    } catch {
      // not listening yet
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
