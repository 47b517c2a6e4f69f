import { Controller, Delete, Get, HttpCode, Inject, Param, Post, Put, Query, Req, Res } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { FindableThreepids } from '#accounts/reading/findable-threepids';
import { CONFIG, type Config } from '#config/config';
import { Authenticated, CurrentRequester, OwnersOnly, WhileSuspended } from '#http/authenticated';
import { BodyLimit } from '#http/body-limit';
import { isOldDoor, V1 } from '#http/client-paths';
import { pageOfList, type Places, planPage, readPageParameters } from '#http/pagination';
import type { Query as QueryOfUrl } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { TransactionAnswers } from '#http/transaction-answers';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { inTurns } from '#projections/turn';
import { VIEWS, type Views } from '#projections/views';
import { JsonBody } from '#http/json-body';
import { PutContacts } from '../commands/put-contacts.js';
import { RemoveContact } from '../commands/remove-contact.js';
import type { NewContact } from '../decide/decide-contacts.js';
import { parseContact } from '../decide/parse-contact.js';
import { writeVCards } from '../decide/vcards.js';
import { CONTACTS } from '../projections/contacts.projector.js';
import { withOwnUsers } from '../queries/with-own-users.js';
import { listContacts, listPeople } from '../queries/list-people.js';
import { readContacts, readingOf } from './read-contacts.js';

export const CONTACT_PATHS = [`${V1}/contacts`, '_matrix/client/unstable/dev.annals.contacts'];

/** Pictures that vCards hold are left out, but they come. */
const MAX_BODY = 8 * 1024 * 1024;
const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 200;
const CONTACT_ID = /^[\w-]{1,64}$/;

const IDS: Places<string> = {
  find: (token) => (CONTACT_ID.test(token) ? token : undefined),
  compare: (a, b) => (a < b ? -1 : Number(a > b)),
};

/**
 * The address book repository of 2015 ("POST wodges of json, some possible processing, then return wodges of json on GET … remove dupes, merge contacts,
 * pepper with extra info"). No API of today has one, so there it stands below a name of ours.
 */
@Authenticated()
@OwnersOnly()
@WhileSuspended()
@RateLimited('default')
@Controller(CONTACT_PATHS)
export class ContactsController {
  constructor(
    private readonly commands: CommandBus,
    private readonly answers: TransactionAnswers,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
    private readonly findable: FindableThreepids,
  ) {}

  /** The people of the address book. */
  @Get()
  async list(
    @CurrentRequester() requester: Requester,
    @Req() request: FastifyRequest,
    @Query() query: QueryOfUrl,
  ): Promise<object> {
    const parameters = readPageParameters(query);
    const limit = Math.min(parameters.limit ?? DEFAULT_LIMIT, MAX_LIMIT);
    const people = await listPeople(this.views, requester.userId);
    const plan = planPage({ ...parameters, limit }, IDS);
    const { items, start, end } = pageOfList(people, plan, (person) => person.contact_id, IDS);
    const chunk = await withOwnUsers(this.findable, items, requester.userId);
    if (isOldDoor(request)) return { chunk, start, end };
    const hasMore = items.length > 0 && items.at(-1) !== people.at(plan.direction === 'f' ? -1 : 0);
    return { chunk, ...(hasMore && { next_batch: end }) };
  }

  @Post()
  @BodyLimit(MAX_BODY)
  @HttpCode(200)
  put(
    @CurrentRequester() requester: Requester,
    @Req() request: FastifyRequest,
    @Query() query: QueryOfUrl,
  ): Promise<object> {
    return this.#put(requester, request, query);
  }

  @Put(':txnId')
  @BodyLimit(MAX_BODY)
  putOnce(
    @CurrentRequester() requester: Requester,
    @Param('txnId') txnId: string,
    @Req() request: FastifyRequest,
    @Query() query: QueryOfUrl,
  ): Promise<object> {
    return this.answers.once(requester, 'contacts', txnId, () => this.#put(requester, request, query));
  }

  /** All of it goes, from the log too. */
  @Delete()
  async removeAll(@CurrentRequester() requester: Requester): Promise<object> {
    await this.commands.execute(new RemoveContact(requester, undefined));
    return {};
  }

  /** The contacts as vCards of version 4.0, one for each that was put. */
  @Get('vcard')
  async vcards(
    @CurrentRequester() requester: Requester,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const contacts = await listContacts(this.views, requester.userId);
    void reply
      .type('text/vcard; charset=utf-8')
      .header('content-disposition', 'attachment; filename=contacts.vcf')
      .header('x-content-type-options', 'nosniff');
    return inTurns(writeVCards(contacts.map(({ contact }) => contact)));
  }

  /** A contact as it was put. */
  @Get('cards/:contactId')
  async one(@CurrentRequester() requester: Requester, @Param('contactId') contactId: string): Promise<object> {
    const row = await CONTACTS.get(this.views, [requester.userId, contactId]);
    if (row === undefined) throw new MatrixError('M_NOT_FOUND', 'There is no such contact');
    const { contact, matches = [] } = row;
    return { ...contact, contact_id: contactId, ...(matches.length > 0 && { matches }) };
  }

  @Put('cards/:contactId')
  async putOne(
    @CurrentRequester() requester: Requester,
    @Param('contactId') contactId: string,
    @Query() query: QueryOfUrl,
    @JsonBody() body: JsonObject,
  ): Promise<object> {
    if (!CONTACT_ID.test(contactId)) throw new MatrixError('M_INVALID_PARAM', 'No such id can a contact have');
    const reading = await readingOf(this.config.serverName, query);
    await this.#putAll(requester, [{ id: contactId, contact: parseContact(body, reading) }]);
    return {};
  }

  @Delete('cards/:contactId')
  async remove(@CurrentRequester() requester: Requester, @Param('contactId') contactId: string): Promise<object> {
    await this.commands.execute(new RemoveContact(requester, contactId));
    return {};
  }

  async #put(requester: Requester, request: FastifyRequest, query: QueryOfUrl): Promise<object> {
    const contacts = await readContacts(request, await readingOf(this.config.serverName, query));
    const ids = await this.#putAll(
      requester,
      contacts.map((contact) => ({ contact })),
    );
    return { contact_ids: ids };
  }

  #putAll(requester: Requester, contacts: readonly NewContact[]): Promise<readonly string[]> {
    return this.commands.execute(new PutContacts(requester, contacts));
  }
}
