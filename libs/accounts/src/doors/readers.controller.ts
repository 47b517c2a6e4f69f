import { Controller, Delete, Get, Inject, Param, Put } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { CONFIG, type Config } from '#config/config';
import { Authenticated, CurrentRequester } from '#http/authenticated';
import { checkOwn } from '#http/check-own';
import { V1 } from '#http/client-paths';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { SetReaders } from '../commands/set-readers.js';
import { parseReaders } from '../decide/decide-readers.js';
import type { ListedData } from '../facts/account-facts.js';
import { findReaders } from '../queries/readers.js';

/**
 * Who may read something: "get/set ACL permissions on my metadata fields" (2014/15, "Profiles"). No API of today has it, so there it stands
 * below a name of ours. Access lists are their owner's alone.
 */
abstract class ReadersDoor {
  protected abstract readonly of: ListedData;

  constructor(
    private readonly commands: CommandBus,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  @Authenticated()
  @RateLimited('default')
  @Get(':userId/:key/readers')
  async readers(
    @CurrentRequester() requester: Requester,
    @Param('userId') userId: string,
    @Param('key') key: string,
  ): Promise<object> {
    checkOwn(requester, userId, 'access lists');
    return { readers: await findReaders(this.views, requester.userId, this.of, key) };
  }

  @Authenticated()
  @RateLimited('default')
  @Put(':userId/:key/readers')
  async setReaders(
    @CurrentRequester() requester: Requester,
    @Param('userId') userId: string,
    @Param('key') key: string,
    @JsonBody() { readers }: JsonObject,
  ): Promise<object> {
    checkOwn(requester, userId, 'access lists');
    if (readers === undefined) throw new MatrixError('M_MISSING_PARAM', 'readers: required');
    const entries = parseReaders(readers, this.config.serverName);
    await this.commands.execute(new SetReaders(requester, this.of, key, entries));
    return {};
  }

  @Authenticated()
  @RateLimited('default')
  @Delete(':userId/:key/readers')
  async removeReaders(
    @CurrentRequester() requester: Requester,
    @Param('userId') userId: string,
    @Param('key') key: string,
  ): Promise<object> {
    checkOwn(requester, userId, 'access lists');
    await this.commands.execute(new SetReaders(requester, this.of, key, undefined));
    return {};
  }
}

/** Who may read a field of a profile. */
@Controller([`${V1}/profile`, '_matrix/client/unstable/dev.annals.profile'])
export class ProfileReadersController extends ReadersDoor {
  protected readonly of = 'profile';
}

/** Who may find a user by their mail addresses (`email`), phone numbers (`msisdn`) or accounts elsewhere (`dev.annals.account`); nobody, unless they say so. */
@Controller([`${V1}/threepids`, '_matrix/client/unstable/dev.annals.threepids'])
export class ThreepidReadersController extends ReadersDoor {
  protected readonly of = 'threepids';
}

/** Who may read a piece of private data besides its owner. */
@Controller([`${V1}/user_data`, '_matrix/client/unstable/dev.annals.user_data'])
export class UserDataReadersController extends ReadersDoor {
  protected readonly of = 'user-data';
}
