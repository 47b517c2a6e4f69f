import { Controller, Delete, Get, Headers, HttpCode, Param, Post, Put } from '@nestjs/common';
import { IsString } from 'class-validator';
import { Authenticated, FindRequester, OptionallyAuthenticated, WhileSuspended } from '#http/authenticated';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { RendezvousSessions, type RendezvousState } from '../rendezvous/rendezvous-sessions.js';

class DataBody {
  @IsString() data!: string;
}

class ChangeBody {
  @IsString() sequence_token!: string;
  @IsString() data!: string;
}

/** Where devices find each other for signing in by a QR code (MSC4388). Users of this server alone begin one; who knows its id uses it. */
@RateLimited('default')
@Controller('_matrix/client/unstable/io.element.msc4388/rendezvous')
export class RendezvousController {
  constructor(private readonly sessions: RendezvousSessions) {}

  @OptionallyAuthenticated()
  @Get()
  discover(@FindRequester() requester: Requester | undefined): { create_available: boolean } {
    return { create_available: requester !== undefined && requester.isGuest !== true };
  }

  @WhileSuspended()
  @Authenticated()
  @Post()
  @HttpCode(200)
  create(@JsonBody(DataBody) { data }: DataBody): object {
    return this.sessions.create(data);
  }

  @Get(':id')
  get(@Param('id') id: string, @Headers('sec-fetch-mode') mode: string | undefined): RendezvousState {
    // Anybody may put anything there: no browser is to show it as a page of this server.
    if (mode === 'navigate') throw new MatrixError('M_FORBIDDEN', 'This is not for browsers to look at');
    return this.sessions.get(id);
  }

  /** The second path as the proposal had it before it said that the same change is told by its text, and not by a name. */
  @Put([':id', ':id/:txnId'])
  change(@Param('id') id: string, @JsonBody(ChangeBody) body: ChangeBody): { sequence_token: string } {
    return { sequence_token: this.sessions.replace(id, body.sequence_token, body.data) };
  }

  @Delete(':id')
  end(@Param('id') id: string): object {
    this.sessions.end(id);
    return {};
  }
}
