import { spawn } from 'node:child_process';
import type { Logger } from '#observability/logger';

/**
 * Tells the service manager that started this process how it is, by the protocol of sd_notify(3), where it asked for it
 * (`NOTIFY_SOCKET`). Node has no sockets of that kind: systemd's own `systemd-notify` says it, so that the unit needs
 * `NotifyAccess=all`.
 */
export class Supervisor {
  #told: Promise<void> = Promise.resolve();
  #hasFailed = false;

  constructor(
    private readonly logger: Pick<Logger, 'warn'>,
    private readonly env: NodeJS.ProcessEnv = process.env,
  ) {}

  /** Says each of these assignments (`READY=1`), in the order of the calls. Never throws; what fails is logged once. */
  tell(...state: readonly string[]): void {
    if (!this.env['NOTIFY_SOCKET']) return;
    this.#told = this.#told.then(() => this.#notify(state));
  }

  #notify(state: readonly string[]): Promise<void> {
    return new Promise((resolve) => {
      const child = spawn('systemd-notify', [`--pid=${process.pid}`, ...state], { stdio: 'ignore', env: this.env });
      child.once('error', (error) => {
        this.#complain(error.message);
        resolve();
      });
      child.once('exit', (code) => {
        if (code !== 0) this.#complain(`systemd-notify ended with ${code}`);
        resolve();
      });
    });
  }

  #complain(reason: string): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.logger.warn({ reason }, 'the service manager asked to be told how the server is, and cannot be');
  }
}

/** What a service of `Type=notify-reload` says when it begins to reload: the time is by the clock the manager uses. */
export function reloading(): string[] {
  return ['RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`];
}
