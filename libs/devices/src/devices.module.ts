import { Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { ClaimKeysHandler } from './commands/claim-keys.js';
import { ClaimQueue } from './commands/claim-queue.js';
import { UploadKeysHandler } from './commands/upload-keys.js';
import { DeviceKeys } from './device-keys.js';
import { KeysController } from './doors/keys.controller.js';
import { QueryKeysHandler } from './queries/query-keys.js';

/** What devices publish and send to each other for encryption. Needs EVENT_STORE, VIEWS, CLOCK and CONFIG from global modules. */
@Module({
  imports: [CqrsModule],
  controllers: [KeysController],
  providers: [ClaimKeysHandler, ClaimQueue, DeviceKeys, QueryKeysHandler, UploadKeysHandler],
})
export class DevicesModule {}
