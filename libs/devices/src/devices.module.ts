import { Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { AddSignaturesHandler } from './commands/add-signatures.js';
import { ClaimKeysHandler } from './commands/claim-keys.js';
import { ClaimQueue } from './commands/claim-queue.js';
import { SetCrossSigningKeysHandler } from './commands/set-cross-signing-keys.js';
import { UploadKeysHandler } from './commands/upload-keys.js';
import { CrossSigning } from './cross-signing.js';
import { DeviceKeys } from './device-keys.js';
import { CrossSigningController } from './doors/cross-signing.controller.js';
import { KeysController } from './doors/keys.controller.js';
import { QueryKeysHandler } from './queries/query-keys.js';

/**
 * What devices publish and send to each other for encryption. Needs EVENT_STORE, VIEWS, CLOCK, CONFIG and
 * InteractiveAuth from global modules.
 */
@Module({
  imports: [CqrsModule],
  controllers: [KeysController, CrossSigningController],
  providers: [
    AddSignaturesHandler,
    CrossSigning,
    SetCrossSigningKeysHandler,
    ClaimKeysHandler,
    ClaimQueue,
    DeviceKeys,
    QueryKeysHandler,
    UploadKeysHandler,
  ],
})
export class DevicesModule {}
