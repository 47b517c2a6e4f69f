import { Global, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { ALIAS_BOOK } from '#rooms/alias-book';
import { Aliases } from './aliases.js';
import { CreateAliasHandler } from './commands/create-alias.js';
import { DeleteAliasHandler } from './commands/delete-alias.js';
import { DirectoryData } from './directory-data.js';
import { ListInNetworkHandler } from './commands/list-in-network.js';
import { DirectoryController } from './doors/directory.controller.js';
import { ResolvedAliases } from './resolved-aliases.js';
import { RoomSummaryController } from './doors/room-summary.controller.js';
import { DirectoryV1Controller } from './doors/v1/directory-v1.controller.js';
import { UserDirectoryController } from './doors/user-directory.controller.js';

/** Room aliases and the published room directory. Global: rooms claim aliases through ALIAS_BOOK. */
@Global()
@Module({
  imports: [CqrsModule],
  controllers: [DirectoryController, RoomSummaryController, UserDirectoryController, DirectoryV1Controller],
  providers: [
    DirectoryData,
    Aliases,
    ResolvedAliases,
    { provide: ALIAS_BOOK, useExisting: Aliases },
    CreateAliasHandler,
    DeleteAliasHandler,
    ListInNetworkHandler,
  ],
  exports: [Aliases, ALIAS_BOOK, ResolvedAliases],
})
export class DirectoryModule {}
