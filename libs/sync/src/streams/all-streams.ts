import type { RoomEphemeralType } from '../ephemeral/room-ephemeral.js';
import { ReceiptEphemeral } from '../ephemeral/receipt-ephemeral.js';
import { TypingEphemeral } from '../ephemeral/typing-ephemeral.js';
import { StickyPart } from '../parts/sticky-part.js';
import { ThreadSubscriptionsExtension } from '../sliding/extensions/thread-subscriptions-extension.js';
import { KnownRooms } from '../sliding/known-rooms.js';
import { AccountDataStream } from './account-data-stream.js';
import { DeviceListsStream } from './device-lists-stream.js';
import { OneTimeKeyCountStream, UnusedFallbackKeysStream } from './key-counts-streams.js';
import { PresenceStream } from './presence-stream.js';
import { RoomsStream } from './rooms-stream.js';
import type { SyncStreamType } from './sync-context.js';
import { ToDeviceStream } from './to-device-stream.js';

/** All that /sync tells of, one class for each key of the answer, in that order. Whoever adds one adds it here, and nowhere else. */
export const ALL_STREAMS: readonly SyncStreamType[] = [
  PresenceStream,
  AccountDataStream,
  ToDeviceStream,
  DeviceListsStream,
  OneTimeKeyCountStream,
  UnusedFallbackKeysStream,
  RoomsStream,
];

/** All that `ephemeral` tells of rooms, one class for each type of event, in that order. */
export const ALL_EPHEMERALS: readonly RoomEphemeralType[] = [TypingEphemeral, ReceiptEphemeral];

/** The collections they read, and parts of rooms and sliding sync besides: tokens cover each of them. */
export const ALL_COVERED: readonly string[] = [
  ...new Set(
    [...ALL_STREAMS, ...ALL_EPHEMERALS, StickyPart, KnownRooms, ThreadSubscriptionsExtension].flatMap(
      ({ covers }) => covers,
    ),
  ),
];
