import type { RoomEphemeralType } from '../ephemeral/room-ephemeral.js';
import { ReceiptEphemeral } from '../ephemeral/receipt-ephemeral.js';
import { TypingEphemeral } from '../ephemeral/typing-ephemeral.js';
import { StickyPart } from '../parts/sticky-part.js';
import { AccountDataExtension } from '../sliding/extensions/account-data-extension.js';
import { E2eeExtension } from '../sliding/extensions/e2ee-extension.js';
import type { SlidingExtensionType } from '../sliding/extensions/extension-context.js';
import { ReceiptsExtension } from '../sliding/extensions/receipts-extension.js';
import { StickyEventsExtension } from '../sliding/extensions/sticky-events-extension.js';
import { ThreadSubscriptionsExtension } from '../sliding/extensions/thread-subscriptions-extension.js';
import { ToDeviceExtension } from '../sliding/extensions/to-device-extension.js';
import { TypingExtension } from '../sliding/extensions/typing-extension.js';
import { KnownRooms } from '../sliding/known-rooms.js';
import { AccountDataStream } from './account-data-stream.js';
import { DeviceListsStream } from './device-lists-stream.js';
import { OneTimeKeyCountStream, UnusedFallbackKeysStream } from './key-counts-streams.js';
import { PresenceListStream } from './presence-list-stream.js';
import { PresenceStream } from './presence-stream.js';
import { RoomsStream } from './rooms-stream.js';
import type { SyncStreamType } from './sync-context.js';
import { ToDeviceStream } from './to-device-stream.js';

/** All that /sync tells of, one class for each key of the answer, in that order. Whoever adds one adds it here, and nowhere else. */
export const ALL_STREAMS: readonly SyncStreamType[] = [
  PresenceStream,
  PresenceListStream,
  AccountDataStream,
  ToDeviceStream,
  DeviceListsStream,
  OneTimeKeyCountStream,
  UnusedFallbackKeysStream,
  RoomsStream,
];

/** All that `ephemeral` tells of rooms, one class for each type of event, in that order. */
export const ALL_EPHEMERALS: readonly RoomEphemeralType[] = [TypingEphemeral, ReceiptEphemeral];

/** All that sliding sync tells of besides rooms, in that order. */
export const ALL_EXTENSIONS: readonly SlidingExtensionType[] = [
  ToDeviceExtension,
  E2eeExtension,
  AccountDataExtension,
  ReceiptsExtension,
  TypingExtension,
  ThreadSubscriptionsExtension,
  StickyEventsExtension,
];

/** The collections they read, and parts of rooms and sliding sync besides: tokens cover each of them. */
export const ALL_COVERED: readonly string[] = [
  ...new Set(
    [...ALL_STREAMS, ...ALL_EPHEMERALS, StickyPart, KnownRooms, ThreadSubscriptionsExtension].flatMap(
      ({ covers }) => covers,
    ),
  ),
];
