import { Module } from '@nestjs/common';
import { type CommandRunner, InjectCommander } from 'nest-commander';
import { AppservicesCommand } from './commands/appservices.command.js';
import { AuditCommand } from './commands/audit.command.js';
import { BackupCommand, RestoreCommand } from './commands/backup.command.js';
import { ClockCommand } from './commands/clock.command.js';
import { DoctorCommand } from './commands/doctor.command.js';
import { EffectsCommand } from './commands/effects.command.js';
import { ErasuresCommand } from './commands/erasures.command.js';
import { EventsCommand } from './commands/events.command.js';
import { FederationCommand } from './commands/federation.command.js';
import { KeysCommand } from './commands/keys.command.js';
import { LogCommand } from './commands/log.command.js';
import { MediaCommand } from './commands/media.command.js';
import { NoticesCommand } from './commands/notices.command.js';
import { ProjectionsCommand } from './commands/projections.command.js';
import { RegistrationTokensCommand } from './commands/registration-tokens.command.js';
import { ReplayCommand } from './commands/replay.command.js';
import { ReportsCommand } from './commands/reports.command.js';
import { RoomsCommand } from './commands/rooms.command.js';
import { UsersCommand } from './commands/users.command.js';
import { VerifyCommand } from './commands/verify.command.js';
import { ViewsCommand } from './commands/views.command.js';

type Commander = Parameters<CommandRunner['setCommand']>[0];

/** Every command there is. What a command needs is loaded when it runs. */
@Module({
  providers: [
    ...ProjectionsCommand.registerWithSubCommands(),
    ...ViewsCommand.registerWithSubCommands(),
    ...EffectsCommand.registerWithSubCommands(),
    ReplayCommand,
    VerifyCommand,
    AuditCommand,
    ...UsersCommand.registerWithSubCommands(),
    ...ErasuresCommand.registerWithSubCommands(),
    ...RegistrationTokensCommand.registerWithSubCommands(),
    ...ReportsCommand.registerWithSubCommands(),
    ...RoomsCommand.registerWithSubCommands(),
    ...MediaCommand.registerWithSubCommands(),
    ...EventsCommand.registerWithSubCommands(),
    ...NoticesCommand.registerWithSubCommands(),
    ...AppservicesCommand.registerWithSubCommands(),
    BackupCommand,
    RestoreCommand,
    ...KeysCommand.registerWithSubCommands(),
    ...LogCommand.registerWithSubCommands(),
    ...ClockCommand.registerWithSubCommands(),
    DoctorCommand,
    FederationCommand,
  ],
})
export class CliModule {
  constructor(@InjectCommander() commander: Commander) {
    commander.name('annals').description('Looks after a homeserver: its log, its views, its users.');
  }
}
