import { EXIT_CONFIG } from '#config/config-error';

/** How every command ends; docs/cli.md tells operators the same. */
export const EXIT = {
  /** All is well, all was done. */
  ok: 0,
  /** The command did its work and what it found is not well, or what was asked for is refused. */
  found: 1,
  /** The command could not do its work: wrong usage, stores that cannot be opened, a server that went away. */
  failed: 2,
  /** The configuration is wrong; as for the server. */
  config: EXIT_CONFIG,
  /** Interrupted by Ctrl-C. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends the command with one line for the operator and an exit code. */
export class CliFailure extends Error {
  constructor(
    message: string,
    readonly exitCode: ExitCode = EXIT.failed,
    /** The protocol's code, where a command was refused by its rules. */
    readonly errcode?: string,
  ) {
    super(message);
    this.name = 'CliFailure';
  }
}
