import { Subscribers } from '#ephemeral/lists/subscribers';
import { NoteActivity } from '#ephemeral/presence/note-activity';
import { EndTyping } from '#ephemeral/typing/end-typing';
import { ForgottenAccounts } from '#accounts/forgotten-accounts';
import { ActingServices } from '#accounts/sessions/acting-services';
import { KnownTokens } from '#accounts/sessions/known-tokens';
import type { Type } from '@nestjs/common';
import { MasTokens } from '#oauth/mas/mas-tokens';
import { PresenceIntroduction } from '#federation/ephemeral/presence-introduction';
import { RoomsHere } from '#federation/inbound/rooms-here';
import { ServersInRooms } from '#federation/sending/servers-in-rooms';
import { UnshownMedia } from '#media/unshown-media';
import { MediaArrivals } from '#media/uploads/media-arrivals';
import { ForgottenSnapshots } from '#rooms/forgotten-snapshots';
import type { Listener } from '#projections/listener';
import { ActiveUsers } from '#sync/notifier/active-users';

/** The providers that the projections tell of new facts, in this order. */
export const LISTENERS: readonly Type<Listener>[] = [
  KnownTokens,
  ActingServices,
  MasTokens,
  ServersInRooms,
  RoomsHere,
  EndTyping,
  NoteActivity,
  Subscribers,
  PresenceIntroduction,
  ActiveUsers,
  MediaArrivals,
  UnshownMedia,
  ForgottenSnapshots,
  ForgottenAccounts,
];
