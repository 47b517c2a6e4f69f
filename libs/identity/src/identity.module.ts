import { Global, Module } from '@nestjs/common';
import { IdentityServers } from './client/identity-servers.js';
import { LookUpThreepids } from './client/look-up-threepids.js';

/** The client side of identity servers. Needs CONFIG and Outgoing from global modules. */
@Global()
@Module({
  providers: [IdentityServers, LookUpThreepids],
  exports: [IdentityServers, LookUpThreepids],
})
export class IdentityModule {}
