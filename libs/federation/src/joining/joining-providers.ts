import type { Provider } from '@nestjs/common';
import { REMOTE_ROOMS } from '#rooms/remote-rooms';
import { BoundInvites } from './bound-invites.js';
import { EndedInvitations } from './ended-invitations.js';
import { FillRooms } from './fill-rooms.effect.js';
import { HeardThere } from './heard-there.js';
import { InviteHandshakes } from './invite-handshakes.js';
import { JoinTelling } from './join-telling.js';
import { MemberEvents } from './member-events.js';
import { MemberHandshakes } from './member-handshakes.js';
import { RemoteInvites } from './remote-invites.js';
import { RemoteJoins } from './remote-joins.js';
import { RemoteMemberships } from './remote-memberships.js';
import { RestOfRoom } from './rest-of-room.js';
import { RoomBringing } from './room-bringing.js';
import { RoomFilling } from './room-filling.js';
import { ServersToAsk } from './servers-to-ask.js';

/** How users come into rooms of other servers, and those of other servers into rooms that are here. */
export const JOINING_PROVIDERS: readonly Provider[] = [
  BoundInvites,
  EndedInvitations,
  FillRooms,
  HeardThere,
  InviteHandshakes,
  JoinTelling,
  MemberEvents,
  MemberHandshakes,
  RemoteInvites,
  RemoteJoins,
  { provide: REMOTE_ROOMS, useClass: RemoteMemberships },
  RestOfRoom,
  RoomBringing,
  RoomFilling,
  ServersToAsk,
];
