import { Command, Option, SubCommand } from 'nest-commander';
import type { ExitCode } from '../failure.js';
import { findInstallation } from '../installation.js';
import type { Terminal } from '../terminal/terminal.js';
import { AnnalsCommand, type CommonOptions, GroupCommand } from './annals-command.js';

const loadRun = () => import('../rooms/run-rooms.js');

const ROOM = { room: '!id, or #alias of this server' };

interface PurgeOptions extends CommonOptions {
  readonly usersLeave?: boolean;
}

@SubCommand({
  name: 'purge',
  arguments: '<room>',
  argsDescription: ROOM,
  description: 'let go of all that this server knows of a room, for ever',
})
export class PurgeRoomCommand extends AnnalsCommand<PurgeOptions> {
  protected async execute([room = '']: string[], options: PurgeOptions, terminal: Terminal): Promise<ExitCode> {
    return (await loadRun()).purgeRoom(findInstallation(options.data), terminal, room, options.usersLeave === true);
  }

  @Option({ flags: '--users-leave', description: 'also where users of this server are in it: they leave it first' })
  parseUsersLeave(): boolean {
    return true;
  }
}

@SubCommand({ name: 'purges', description: 'list the purges that were ordered, and what became of them' })
export class PurgesCommand extends AnnalsCommand {
  protected async execute(_: string[], { data }: CommonOptions, terminal: Terminal): Promise<ExitCode> {
    return (await loadRun()).listPurges(findInstallation(data), terminal);
  }
}

@SubCommand({ name: 'deserted', description: 'list the rooms that nobody of this server is in, and since when' })
export class DesertedCommand extends AnnalsCommand {
  protected async execute(_: string[], { data }: CommonOptions, terminal: Terminal): Promise<ExitCode> {
    return (await loadRun()).listDeserted(findInstallation(data), terminal);
  }
}

interface HoldOptions extends CommonOptions {
  readonly reason?: string;
}

@SubCommand({ name: 'hold', arguments: '<room>', argsDescription: ROOM, description: 'keep a room from being purged' })
export class HoldRoomCommand extends AnnalsCommand<HoldOptions> {
  protected async execute([room = '']: string[], options: HoldOptions, terminal: Terminal): Promise<ExitCode> {
    return (await loadRun()).holdRoom(findInstallation(options.data), terminal, room, options.reason);
  }

  @Option({ flags: '--reason <text>', description: 'why, for who wants to purge it later' })
  parseReason(text: string): string {
    return text;
  }
}

@SubCommand({ name: 'release', arguments: '<room>', argsDescription: ROOM, description: 'end the hold of a room' })
export class ReleaseRoomCommand extends AnnalsCommand {
  protected async execute([room = '']: string[], { data }: CommonOptions, terminal: Terminal): Promise<ExitCode> {
    return (await loadRun()).releaseRoom(findInstallation(data), terminal, room);
  }
}

@SubCommand({ name: 'held', description: 'list the rooms that are kept from being purged' })
export class HeldRoomsCommand extends AnnalsCommand {
  protected async execute(_: string[], { data }: CommonOptions, terminal: Terminal): Promise<ExitCode> {
    return (await loadRun()).listHeld(findInstallation(data), terminal);
  }
}

@Command({
  name: 'rooms',
  description: 'let rooms go that nobody is in, or keep them',
  subCommands: [
    PurgeRoomCommand,
    PurgesCommand,
    DesertedCommand,
    HoldRoomCommand,
    ReleaseRoomCommand,
    HeldRoomsCommand,
  ],
})
export class RoomsCommand extends GroupCommand {}
