import type { CommandBus } from '@nestjs/cqrs';
import { expect, it } from 'vitest';
import type { RoomId, UserId } from '#kernel/ids';
import { PeerRefused, PeerUnavailable } from '#kernel/peer-errors';
import { requesterOf } from '#testing/room-commands';
import type { AddressInvitations, AskedAddress } from '../address-invitations.js';
import { BeginRoom, BeginRoomHandler } from './begin-room.js';
import { InviteAddress } from './invite-address.js';

const ROOM = '!room:a.example' as RoomId;
const ALICE = '@alice:a.example' as UserId;

it('waits for an identity server that is away once, and not for each of those it is to know; others are asked all the same', async () => {
  const tried: string[] = [];
  const execute = (command: object): Promise<unknown> => {
    if (!(command instanceof InviteAddress)) return Promise.resolve({ roomId: ROOM });
    const { idServer, address } = command.asked;
    tried.push(address);
    if (idServer === 'away.example') return Promise.reject(new PeerUnavailable('away'));
    if (idServer === 'strict.example') return Promise.reject(new PeerRefused(403, {}));
    return Promise.resolve();
  };
  const invitations = { check: () => {} } as unknown as AddressInvitations;
  const begin = new BeginRoomHandler({ execute } as unknown as CommandBus, invitations);
  const of = (idServer: string, address: string): AskedAddress => ({ medium: 'email', idServer, address });
  const addresses = [
    of('away.example', 'a'),
    of('here.example', 'b'),
    of('strict.example', 'c'),
    of('away.example', 'd'),
    of('strict.example', 'e'),
  ];
  expect(await begin.execute(new BeginRoom(requesterOf(ALICE), {}, addresses))).toEqual({ roomId: ROOM });
  expect(tried).toEqual(['a', 'b', 'c', 'e']);
});
