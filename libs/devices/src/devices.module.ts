import { Global, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { TAKEN_DEVICE_IDS } from '#accounts/taken-device-ids';
import { AddSignaturesHandler } from './commands/add-signatures.js';
import { BackUpKeysHandler } from './commands/back-up-keys.js';
import { ChangeBackupVersionHandler } from './commands/change-backup-version.js';
import { ClaimHere } from './commands/claim-here.js';
import { ClaimKeysHandler } from './commands/claim-keys.js';
import { ClaimQueue } from './commands/claim-queue.js';
import { CreateBackupVersionHandler } from './commands/create-backup-version.js';
import { DeleteBackupVersionHandler } from './commands/delete-backup-version.js';
import { ExpireMessages } from './commands/expire-messages.js';
import { KeepDehydratedDeviceHandler } from './commands/keep-dehydrated-device.js';
import { RemoveBackedUpKeysHandler } from './commands/remove-backed-up-keys.js';
import { SendToDeviceHandler } from './commands/send-to-device.js';
import { SetCrossSigningKeysHandler } from './commands/set-cross-signing-keys.js';
import { UploadKeysHandler } from './commands/upload-keys.js';
import { ReceiveDeviceLists } from './commands/receive-device-lists.js';
import { ReceiveMessages } from './commands/receive-messages.js';
import { ResyncRemoteDevices } from './resync-remote-devices.js';
import { CrossSigning } from './cross-signing.js';
import { DeviceKeys } from './device-keys.js';
import { CrossSigningController } from './doors/cross-signing.controller.js';
import { DehydratedDeviceController } from './doors/dehydrated-device.controller.js';
import { KeyBackupController } from './doors/key-backup.controller.js';
import { KeysController } from './doors/keys.controller.js';
import { OpenRendezvousController } from './doors/open-rendezvous.controller.js';
import { RendezvousController } from './doors/rendezvous.controller.js';
import { ToDeviceController } from './doors/to-device.controller.js';
import { Inboxes } from './inboxes.js';
import { KeyBackups } from './key-backups.js';
import { DevicesData } from './personal-data/devices-data.js';
import { RemoteDeviceLists } from './remote-device-lists.js';
import { RemoteKeys } from './queries/remote-keys.js';
import { QueryKeysHandler } from './queries/query-keys.js';
import { OpenRendezvousSessions, RendezvousSessions } from './rendezvous/rendezvous-sessions.js';

/**
 * What devices publish and send to each other for encryption. Needs DEVICE_PEERS, EVENT_STORE, VIEWS, READ_MODEL_STORE, CLOCK, CONFIG,
 * METRICS, LOGGER and InteractiveAuth from global modules. Global itself, for TAKEN_DEVICE_IDS is what logins ask.
 */
@Global()
@Module({
  imports: [CqrsModule],
  controllers: [
    DehydratedDeviceController,
    KeyBackupController,
    KeysController,
    CrossSigningController,
    OpenRendezvousController,
    RendezvousController,
    ToDeviceController,
  ],
  providers: [
    DevicesData,
    AddSignaturesHandler,
    BackUpKeysHandler,
    ChangeBackupVersionHandler,
    CreateBackupVersionHandler,
    DeleteBackupVersionHandler,
    KeyBackups,
    RemoveBackedUpKeysHandler,
    CrossSigning,
    { provide: TAKEN_DEVICE_IDS, useExisting: CrossSigning },
    SetCrossSigningKeysHandler,
    ClaimHere,
    ClaimKeysHandler,
    ClaimQueue,
    DeviceKeys,
    ExpireMessages,
    Inboxes,
    KeepDehydratedDeviceHandler,
    QueryKeysHandler,
    ReceiveDeviceLists,
    ReceiveMessages,
    RemoteDeviceLists,
    RemoteKeys,
    ResyncRemoteDevices,
    OpenRendezvousSessions,
    RendezvousSessions,
    SendToDeviceHandler,
    UploadKeysHandler,
  ],
  exports: [
    TAKEN_DEVICE_IDS,
    ClaimHere,
    DeviceKeys,
    Inboxes,
    KeyBackups,
    ReceiveDeviceLists,
    ReceiveMessages,
    RemoteDeviceLists,
    ResyncRemoteDevices,
  ],
})
export class DevicesModule {}
