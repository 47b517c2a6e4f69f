import { Option } from 'nest-commander';
import { CliFailure } from '../failure.js';
import type { ChosenPassword } from '../users/read-password.js';
import { AnnalsCommand, type CommonOptions } from './annals-command.js';

/** Where the password of a command comes from. */
export interface PasswordOptions extends CommonOptions {
  readonly passwordStdin?: boolean;
  readonly generatePassword?: boolean;
}

/** A command that needs a password: asked for twice, unless an option says where it comes from. */
export abstract class PasswordCommand<O extends PasswordOptions> extends AnnalsCommand<O> {
  protected async choosePassword({ passwordStdin, generatePassword }: PasswordOptions): Promise<ChosenPassword> {
    if (passwordStdin === true && generatePassword === true) {
      throw new CliFailure('--password-stdin and --generate-password: only one of them');
    }
    const { readPassword } = await import('../users/read-password.js');
    const source = passwordStdin === true ? 'stdin' : generatePassword === true ? 'generate' : 'prompt';
    return readPassword(source, { input: process.stdin, output: process.stderr });
  }

  @Option({ flags: '--password-stdin', description: 'read the password from standard input' })
  parsePasswordStdin(): boolean {
    return true;
  }

  @Option({ flags: '--generate-password', description: 'make one up and print it once' })
  parseGeneratePassword(): boolean {
    return true;
  }
}
