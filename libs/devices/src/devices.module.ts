import { Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { UploadKeysHandler } from './commands/upload-keys.js';
import { DeviceKeys } from './device-keys.js';
import { KeysController } from './doors/keys.controller.js';

/** What devices publish and send to each other for encryption. Needs EVENT_STORE, VIEWS, CLOCK and CONFIG from global modules. */
@Module({
  imports: [CqrsModule],
  controllers: [KeysController],
  providers: [DeviceKeys, UploadKeysHandler],
})
export class DevicesModule {}
