import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { freePort } from '#testing/free-port';

const PROGRAM = fileURLToPath(new URL('../clients/oidc-provider.mjs', import.meta.url));

/** Somebody at the provider, and what it claims of them. */
export interface Person extends Readonly<Record<string, unknown>> {
  readonly sub: string;
}

/** An OpenID Connect provider of another make, in a process of its own: see the program. */
export class OidcProvider {
  readonly #process: ChildProcess;

  private constructor(
    readonly port: number,
    callbacks: readonly string[],
  ) {
    const parameters = [PROGRAM, String(port), ...callbacks];
    this.#process = spawn(process.execPath, parameters, { stdio: ['ignore', 'pipe', 'ignore'] });
  }

  /** `callbacks`: where it may send people back to. */
  static async start(callbacks: readonly string[]): Promise<OidcProvider> {
    const provider = new OidcProvider(await freePort(), callbacks);
    await once(provider.#process.stdout!, 'data');
    return provider;
  }

  get host(): string {
    return `127.0.0.1:${this.port}`;
  }

  get issuer(): string {
    return `http://${this.host}`;
  }

  /** Who sits before every browser from here on; with `null` they say no. */
  async as(person: Person | null): Promise<void> {
    await fetch(`${this.issuer}/as`, { method: 'PUT', body: JSON.stringify(person) });
  }

  /** The authorisation requests that came. */
  async asked(): Promise<Record<string, string>[]> {
    return (await (await fetch(`${this.issuer}/asked`)).json()) as Record<string, string>[];
  }

  async end(): Promise<void> {
    const gone = once(this.#process, 'exit');
    this.#process.kill();
    await gone;
  }
}
