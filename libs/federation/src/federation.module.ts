import { Global, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';

/** Rooms shared with other servers: the server-server API in both directions. */
@Global()
@Module({ imports: [CqrsModule], controllers: [], providers: [], exports: [] })
export class FederationModule {}
