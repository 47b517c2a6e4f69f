import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { ResyncRemoteDevices } from '#devices/resync-remote-devices';
import { Peers } from '../peers/peers.js';

/** A server that is there again is asked for the devices of its users with the next look, and not an hour later. */
@Injectable()
export class WakeResync implements OnModuleInit, OnModuleDestroy {
  #forgetListener: (() => void) | undefined;

  constructor(
    private readonly peers: Peers,
    private readonly resync: ResyncRemoteDevices,
  ) {}

  onModuleInit(): void {
    this.#forgetListener = this.peers.onAwake((server) => this.resync.hearFrom(server));
  }

  onModuleDestroy(): void {
    this.#forgetListener?.();
  }
}
