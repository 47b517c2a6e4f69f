import { Controller, Delete, Get, Inject, Optional, Param, Put, Req } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyRequest } from 'fastify';
import { CONFIG, type Config } from '#config/config';
import { isOldDoor, TODAY, under, V1 } from '#http/client-paths';
import { Authenticated, CurrentRequester, FindRequester, OptionallyAuthenticated } from '#http/authenticated';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import { RawJson } from '#http/raw-json';
import { type UserId, parseUserId, serverNameOf } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { VIEWS, type Views } from '#projections/views';
import { ChangeProfile } from '../../commands/change-profile.js';
import { PROFILES } from '../../projections/profiles.projector.js';
import { fieldOfProfile } from '../../queries/profile.js';
import { nameOfField, withBothNames } from '../../facts/profile-fields.js';
import { ReadableProfiles } from '../../reading/readable-profiles.js';
import { USERS_ON_DEMAND, type UsersOnDemand } from '../../users-on-demand.js';
import { REMOTE_PROFILES, type RemoteProfiles } from '../../remote-profiles.js';
import { checkOwn } from '#http/check-own';

/** What older clients unset by null. */
const NULLABLE: ReadonlySet<string> = new Set(['displayname', 'avatar_url']);

/**
 * Profiles, the same in 2015 and today (client-server API, "Profiles"). Everybody may read them, but for fields whose access list says otherwise:
 * these are as if they were not set. The documents of 2015 call the name and the avatar by namespaced keys too, which are other names of the same.
 */
@Controller(under([...TODAY, V1], 'profile'))
export class ProfileController {
  constructor(
    private readonly commands: CommandBus,
    @Inject(VIEWS) private readonly views: Views,
    @Inject(CONFIG) private readonly config: Pick<Config, 'serverName'>,
    private readonly readable: ReadableProfiles,
    @Optional() @Inject(REMOTE_PROFILES) private readonly others?: RemoteProfiles,
    @Optional() @Inject(USERS_ON_DEMAND) private readonly demand?: UsersOnDemand,
  ) {}

  @OptionallyAuthenticated()
  @RateLimited('default')
  @Get(':userId')
  async profile(
    @FindRequester() requester: Requester | undefined,
    @Req() request: FastifyRequest,
    @Param('userId') userId: string,
  ): Promise<RawJson> {
    const user = this.#parseUser(userId);
    const elsewhere = await this.#findElsewhere(user);
    if (elsewhere !== undefined) return exactJson(isOldDoor(request) ? withBothNames(elsewhere) : elsewhere);
    await this.#makeWhereWanted(user);
    const text = await this.readable.getText(user, requester?.userId);
    if (!isOldDoor(request)) return new RawJson(text);
    return new RawJson(JSON.stringify(withBothNames(JSON.parse(text) as JsonObject)));
  }

  @OptionallyAuthenticated()
  @RateLimited('default')
  @Get(':userId/:key')
  async field(
    @FindRequester() requester: Requester | undefined,
    @Param('userId') userId: string,
    @Param('key') key: string,
  ): Promise<JsonObject | RawJson> {
    const user = this.#parseUser(userId);
    const elsewhere = await this.#findElsewhere(user);
    if (elsewhere !== undefined) return exactJson(fieldOfProfile(elsewhere, key));
    await this.#makeWhereWanted(user);
    return fieldOfProfile(JSON.parse(await this.readable.getText(user, requester?.userId)) as JsonObject, key);
  }

  @Authenticated({ guests: true })
  @RateLimited('default')
  @Put(':userId/:key')
  async setField(
    @CurrentRequester() requester: Requester,
    @Param('userId') userId: string,
    @Param('key') key: string,
    @JsonBody() body: JsonObject,
  ): Promise<object> {
    checkOwn(requester, userId, 'profile');
    checkGuestField(requester, key);
    const value = Object.hasOwn(body, key) ? body[key] : undefined;
    if (value === undefined) throw new MatrixError('M_MISSING_PARAM', `${key}: required`);
    // Older clients unset a name or an avatar by null.
    const unset = value === null && NULLABLE.has(nameOfField(key));
    await this.commands.execute(new ChangeProfile(requester, key, unset ? undefined : value));
    return {};
  }

  @Authenticated({ guests: true })
  @RateLimited('default')
  @Delete(':userId/:key')
  async deleteField(
    @CurrentRequester() requester: Requester,
    @Param('userId') userId: string,
    @Param('key') key: string,
  ): Promise<object> {
    checkOwn(requester, userId, 'profile');
    checkGuestField(requester, key);
    await this.commands.execute(new ChangeProfile(requester, key, undefined));
    return {};
  }

  /** The profile of a user of another server; undefined for one of this server. */
  async #findElsewhere(userId: UserId): Promise<JsonObject | undefined> {
    return this.#isHere(userId) ? undefined : this.others?.find(userId);
  }

  /** Who is looked at and has no account here may get one for that. */
  async #makeWhereWanted(userId: UserId): Promise<void> {
    if (this.demand === undefined || !this.#isHere(userId)) return;
    if (!(await PROFILES.has(this.views, [userId]))) await this.demand.makeForLook(userId);
  }

  #isHere(userId: UserId): boolean {
    return serverNameOf(userId) === this.config.serverName;
  }

  #parseUser(text: string): UserId {
    return parseUserId(text, this.config.serverName);
  }
}

/** Numbers as they were spelled elsewhere. */
function exactJson(value: JsonObject): RawJson {
  return new RawJson(canonicalJson(value, { lenient: true }));
}

/** Guests have a name and nothing more (module "Guest Access"). Throws M_GUEST_ACCESS_FORBIDDEN. */
function checkGuestField({ isGuest }: Requester, key: string): void {
  if (isGuest === true && nameOfField(key) !== 'displayname') throw new MatrixError('M_GUEST_ACCESS_FORBIDDEN');
}
