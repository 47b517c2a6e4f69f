import { Controller, Delete, Get, HttpCode, Inject, Param, Post, Put } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Authenticated, CurrentRequester, OwnersOnly, WhileSuspended } from '#http/authenticated';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { TransactionAnswers } from '#http/transaction-answers';
import { IdentityServers } from '#identity/client/identity-servers';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { VIEWS, type Views } from '#projections/views';
import { LookUpContacts } from '../commands/look-up-contacts.js';
import { ShareAddress } from '../commands/share-address.js';
import { findAddress, findSaidAddress } from '../decide/find-address.js';
import type { Address } from '../facts/contact-facts.js';
import { SHARED_ADDRESSES } from '../projections/contacts.projector.js';
import { CONTACT_PATHS } from './contacts.controller.js';

const MAX_TOKEN = 4096;

/** What the addresses of an address book say: which users they are of, and which are of several people. */
@Authenticated()
@OwnersOnly()
@Controller(CONTACT_PATHS)
export class ContactAddressesController {
  constructor(
    private readonly commands: CommandBus,
    private readonly answers: TransactionAnswers,
    private readonly servers: IdentityServers,
    @Inject(VIEWS) private readonly views: Views,
  ) {}

  @RateLimited('search')
  @Post('lookup')
  @HttpCode(200)
  lookUp(@CurrentRequester() requester: Requester, @JsonBody() body: JsonObject): Promise<object> {
    return this.#lookUp(requester, body);
  }

  @RateLimited('search')
  @Put('lookup/:txnId')
  lookUpOnce(
    @CurrentRequester() requester: Requester,
    @Param('txnId') txnId: string,
    @JsonBody() body: JsonObject,
  ): Promise<object> {
    return this.answers.once(requester, 'contacts/lookup', txnId, () => this.#lookUp(requester, body));
  }

  @RateLimited('default')
  @Get('shared')
  async shared(@CurrentRequester() requester: Requester): Promise<object> {
    const shared: Address[] = [];
    for await (const page of SHARED_ADDRESSES.pages(this.views, { prefix: [requester.userId] }))
      for (const { key } of page) shared.push({ medium: key[1], address: key[2] });
    return { shared };
  }

  @WhileSuspended()
  @RateLimited('default')
  @Put('shared/:medium/:address')
  share(
    @CurrentRequester() requester: Requester,
    @Param('medium') medium: string,
    @Param('address') address: string,
  ): Promise<object> {
    return this.#share(requester, readAddress(medium, address), true);
  }

  @WhileSuspended()
  @RateLimited('default')
  @Delete('shared/:medium/:address')
  unshare(
    @CurrentRequester() requester: Requester,
    @Param('medium') medium: string,
    @Param('address') address: string,
  ): Promise<object> {
    return this.#share(requester, readAddress(medium, address), false);
  }

  /** In the form of today's requests that name an identity server (client-server API, "Adding Account Administrative Contact Information"). */
  #lookUp(requester: Requester, { id_server: named, id_access_token: token }: JsonObject): Promise<object> {
    if (named === undefined) throw new MatrixError('M_MISSING_PARAM', 'id_server: required');
    const server = this.servers.parseServer(named);
    if (token === undefined || token === null) return this.commands.execute(new LookUpContacts(requester, { server }));
    if (typeof token !== 'string' || !/^[\u0021-\u007E]+$/.test(token) || token.length > MAX_TOKEN) {
      throw new MatrixError('M_INVALID_PARAM', 'id_access_token: must be a token');
    }
    return this.commands.execute(new LookUpContacts(requester, { server, token }));
  }

  async #share(requester: Requester, address: Address, shared: boolean): Promise<object> {
    await this.commands.execute(new ShareAddress(requester, address, shared));
    return {};
  }
}

function readAddress(medium: string, text: string): Address {
  const address = findSaidAddress(medium, text, (...said) => findAddress(...said, () => undefined));
  if (address === undefined) throw new MatrixError('M_INVALID_PARAM', 'This is no address of the medium');
  return { medium, address };
}
