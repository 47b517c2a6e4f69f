import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestAuthority } from '#testing/test-authority';
import { freePort } from '#testing/free-port';
import { type Answer, type Client, registerAt, requestAt, type RequestOptions, type Spoken } from '../homeserver.js';
import { Line } from './line.js';

const READY_WITHIN_MS = 60_000;
const SHOWN_OF_LOG = 4000;

/** A server that others reach by a line. */
export interface Federating extends Spoken {
  /** What its users' ids end with. */
  readonly name: string;
  readonly line: Line;
  /** Where clients find it. */
  readonly base: string;
  register(username: string, password?: string): Promise<Client>;
  /** Ends it, unless that has been done, and starts it again where clients find it. */
  restart(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  end(signal?: 'SIGTERM' | 'SIGKILL'): Promise<unknown>;
  /** Ends it and removes its data. */
  remove(): Promise<void>;
}

/** Where a server of another make is to listen, and what it finds in its folder. */
export interface Place {
  readonly directory: string;
  readonly name: string;
  readonly clientPort: number;
  /** The port of the listener with TLS. */
  readonly federationPort: number;
  /** A path in the folder. */
  path(name: string): string;
  write(name: string, content: string): string;
}

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A homeserver of another make in a process of its own, on loopback, with a certificate of the test's authority. */
export class OtherServer implements Federating {
  #process: ChildProcess | undefined;

  private constructor(
    readonly line: Line,
    private readonly place: Place,
    private readonly command: Command,
  ) {}

  /** Starts one that is set up by a function: `tls.crt`, `tls.key` and `authority.crt` are in its folder then. */
  static async start(authority: TestAuthority, setUp: (place: Place) => Command): Promise<OtherServer> {
    const line = await Line.open();
    const directory = mkdtempSync(join(tmpdir(), 'other-server-'));
    const path = (name: string): string => join(directory, name);
    const write = (name: string, content: string): string => {
      writeFileSync(path(name), content);
      return path(name);
    };
    writeTls(directory, authority);
    const ports = { clientPort: await freePort(), federationPort: line.behind };
    const place = { directory, name: `localhost:${line.port}`, ...ports, path, write };
    const server = new OtherServer(line, place, setUp(place));
    try {
      await server.start();
    } catch (error) {
      await server.remove();
      throw error;
    }
    return server;
  }

  get name(): string {
    return this.place.name;
  }

  get base(): string {
    return `http://127.0.0.1:${this.place.clientPort}`;
  }

  async start(): Promise<void> {
    const { program, args, env } = this.command;
    const output = openSync(this.place.path('output'), 'a');
    const child = spawn(program, args, {
      cwd: this.place.directory,
      env: { ...process.env, ...env },
      stdio: ['ignore', output, output],
    });
    this.#process = child;
    const deadline = Date.now() + READY_WITHIN_MS;
    while (!(await this.#answers())) {
      if (child.exitCode !== null || Date.now() > deadline) {
        throw new Error(
          `${program} does not answer:\n${readFileSync(this.place.path('output'), 'utf8').slice(-SHOWN_OF_LOG)}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async end(signal: 'SIGTERM' | 'SIGKILL' = 'SIGKILL'): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await gone;
  }

  async restart(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await this.end(signal);
    await this.start();
  }

  async remove(): Promise<void> {
    await this.end();
    await this.line.end();
    rmSync(this.place.directory, { recursive: true, force: true });
  }

  request(method: string, path: string, options?: RequestOptions): Promise<Answer> {
    return requestAt(this.base, method, path, options);
  }

  register(username: string, password?: string): Promise<Client> {
    return registerAt(this, username, password);
  }

  async #answers(): Promise<boolean> {
    try {
      return (await this.request('GET', '/_matrix/client/versions')).status === 200;
    } catch {
      return false;
    }
  }
}

/** Writes `tls.crt`, `tls.key` and `authority.crt` into a folder. */
export function writeTls(directory: string, authority: TestAuthority): void {
  const { certificate, key } = authority.issue();
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'tls.crt'), certificate);
  writeFileSync(join(directory, 'tls.key'), key);
  writeFileSync(join(directory, 'authority.crt'), authority.certificate);
}
