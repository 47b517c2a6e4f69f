import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Pool, WebSocket } from 'undici';
import { freePort } from '#testing/free-port';

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
    /** Where it listens for a debugger, where it was started to be inspected. */
    private readonly inspector?: string,
  ) {}

  static async start(
    options: { directory?: string; env?: NodeJS.ProcessEnv; connections?: number; inspected?: boolean } = {},
  ): Promise<RunningServer> {
    const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'annals-bench-'));
    const port = await freePort();
    const base = `http://127.0.0.1:${port}`;
    const started = performance.now();
    const inspected = options.inspected === true;
    const child = spawn(process.execPath, [...(inspected ? ['--inspect=127.0.0.1:0'] : []), MAIN], {
      stdio: ['ignore', 'ignore', inspected ? 'pipe' : 'inherit'],
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
      headersTimeout: 600_000,
      bodyTimeout: 600_000,
    });
    const inspector = inspected ? inspectorOf(child) : undefined;
    await untilAnswers(pool, child);
    return new RunningServer(directory, base, child, pool, performance.now() - started, await inspector);
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

  /** Has the garbage of the server collected, for what it needs and not for what it has not let go yet. Only where it is inspected. */
  async collectGarbage(): Promise<void> {
    const socket = new WebSocket(this.inspector!);
    await new Promise((resolve) => socket.addEventListener('open', resolve, { once: true }));
    const done = new Promise((resolve) => socket.addEventListener('message', resolve, { once: true }));
    socket.send(JSON.stringify({ id: 1, method: 'HeapProfiler.collectGarbage' }));
    await done;
    socket.close();
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

/** The address of a process's inspector, which it says on the standard error stream; the rest of that goes on to ours. */
function inspectorOf({ stderr }: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    let said = '';
    stderr!.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      const [, address] = /Debugger listening on (ws:\S+)/.exec(said) ?? [];
      if (address !== undefined) resolve(address);
      else process.stderr.write(chunk);
    });
  });
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
