import { Controller, Delete, Get, Inject, Put } from '@nestjs/common';
import { CONFIG, type Config } from '#config/config';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import type { JsonObject } from '#kernel/json';
import { parseIdentityReaders, parseMasterKey } from '../decide/identity-people.js';
import { IdentityAccounts } from '../identity-accounts.js';
import { EVERYBODY } from '../projections/identity.projector.js';
import { CurrentCaller, FromIdentityUser, type IdentityCaller } from './identity-user.js';

/** How people are found by their identifiers: by whom, and with which key. No API of today has it, so it stands below a name of ours. */
@FromIdentityUser()
@Controller('_matrix/identity/unstable')
export class IdentityPeopleController {
  constructor(
    private readonly accounts: IdentityAccounts,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
  ) {}

  @RateLimited('default')
  @Get('dev.annals.findable')
  async findable(@CurrentCaller() { userId }: IdentityCaller): Promise<{ readers: readonly string[] }> {
    return { readers: (await this.accounts.findPerson(userId)).readers ?? EVERYBODY };
  }

  /** Throws as `parseIdentityReaders`. */
  @RateLimited('default')
  @Put('dev.annals.findable')
  async setFindable(@CurrentCaller() { userId }: IdentityCaller, @JsonBody() { readers }: JsonObject): Promise<object> {
    await this.accounts.setReaders(userId, parseIdentityReaders(readers, this.config.serverName));
    return {};
  }

  @RateLimited('default')
  @Get('dev.annals.keys')
  async key(@CurrentCaller() { userId }: IdentityCaller): Promise<object> {
    const { master_key } = await this.accounts.findPerson(userId);
    return master_key === undefined ? {} : { master_key };
  }

  /** Throws as `parseMasterKey`. */
  @RateLimited('default')
  @Put('dev.annals.keys')
  async publish(
    @CurrentCaller() { userId }: IdentityCaller,
    @JsonBody() { master_key: key }: JsonObject,
  ): Promise<object> {
    await this.accounts.publishKey(userId, parseMasterKey(key, userId));
    return {};
  }

  @RateLimited('default')
  @Delete('dev.annals.keys')
  async withdraw(@CurrentCaller() { userId }: IdentityCaller): Promise<object> {
    await this.accounts.publishKey(userId, undefined);
    return {};
  }
}
