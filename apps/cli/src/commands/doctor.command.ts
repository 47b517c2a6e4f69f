import { Command, Option } from 'nest-commander';
import type { ExitCode } from '../failure.js';
import { findInstallation } from '../installation.js';
import type { Terminal } from '../terminal/terminal.js';
import { AnnalsCommand, type CommonOptions } from './annals-command.js';

interface DoctorOptions extends CommonOptions {
  readonly json?: boolean;
}

@Command({
  name: 'doctor',
  description: 'look at the machine, the settings, the log, the views and the keys, and advise',
})
export class DoctorCommand extends AnnalsCommand<DoctorOptions> {
  protected async execute(_: string[], { data, json }: DoctorOptions, terminal: Terminal): Promise<ExitCode> {
    const { runDoctor } = await import('../doctor/run-doctor.js');
    return runDoctor(() => findInstallation(data), terminal, { json: json === true });
  }

  @Option({ flags: '--json', description: 'one JSON object per line' })
  parseJson(): boolean {
    return true;
  }
}
