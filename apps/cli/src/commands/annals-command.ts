import { CommandRunner, Option } from 'nest-commander';
import { isBug } from '#kernel/is-bug';
import { CliFailure, EXIT, type ExitCode } from '../failure.js';
import { messageOf } from '#kernel/message-of';
import { processTerminal, type Terminal } from '../terminal/terminal.js';

/** The options that every command has. */
export interface CommonOptions {
  readonly data?: string;
}

type Commander = Parameters<CommandRunner['setCommand']>[0];

/** A commander's own complaint about how it was called; it has been printed already. */
export function exitCodeOfUsage(error: { readonly exitCode?: unknown }): number {
  return error.exitCode === 0 ? EXIT.ok : EXIT.failed;
}

/** What all commands share: `--data`, exit codes, and Ctrl-C. */
export abstract class AnnalsCommand<O extends CommonOptions = CommonOptions> extends CommandRunner {
  override setCommand(command: Commander): this {
    command.allowExcessArguments(false);
    command.exitOverride((error) => process.exit(exitCodeOfUsage(error)));
    return super.setCommand(command);
  }

  async run(args: string[], options: O = {} as O): Promise<void> {
    const interrupt = new AbortController();
    const onSignal = (): void => {
      // The second time nobody waits.
      if (interrupt.signal.aborted) process.exit(EXIT.interrupted);
      interrupt.abort();
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
    const terminal = processTerminal();
    try {
      process.exitCode = await this.execute(args, options, terminal, interrupt.signal);
    } catch (error) {
      terminal.note(
        isBug(error) && error instanceof Error ? (error.stack ?? error.message) : `annals: ${messageOf(error)}`,
      );
      process.exitCode = error instanceof CliFailure ? error.exitCode : EXIT.failed;
    } finally {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    }
  }

  protected abstract execute(args: string[], options: O, terminal: Terminal, signal: AbortSignal): Promise<ExitCode>;

  @Option({
    flags: '--data <folder>',
    description: 'the data folder (else ANNALS_DATA_DIR, else ./data)',
  })
  parseData(folder: string): string {
    return folder;
  }
}

/** A command that only has subcommands: called without one it shows what there is. */
export abstract class GroupCommand extends CommandRunner {
  override setCommand(command: Commander): this {
    command.exitOverride((error) => process.exit(exitCodeOfUsage(error)));
    return super.setCommand(command);
  }

  async run(args: string[]): Promise<void> {
    if (args[0] !== undefined) this.command.error(`error: unknown command '${args[0]}'`);
    this.command.outputHelp({ error: true });
    process.exitCode = EXIT.failed;
  }
}
