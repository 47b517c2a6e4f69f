import { Controller, Get, HttpCode, Inject, Post, Query, Req, Res, UseFilters, UseGuards } from '@nestjs/common';
import { IsString, MaxLength } from 'class-validator';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ErrorPageFilter } from '#http/pages/error-page.filter';
import { showPage } from '#http/pages/show-page';
import { CONFIG, type Config } from '#config/config';
import { checkDto, JsonBody, readJsonBody } from '#http/json-body';
import { type Query as QueryOfUrl, queryText, requiredText } from '#http/query';
import { RateLimited } from '#http/rate-limited';
import { isUserId, type UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { decodeBase64 } from '#protocol/signing/base64';
import { signJson } from '#protocol/signing/sign-json';
import { createSigningKey, type SigningKey } from '#protocol/signing/signing-key';
import { INVITATION_PATH } from '../invitations/invitation-messages.js';
import { invitationOverPage, invitationPage } from '../pages/invitation-pages.js';
import { StoredInvites } from '../invitations/stored-invites.js';
import { IdentityRole } from './identity-role.js';
import { FromIdentityUser } from './identity-user.js';

class SignBody {
  @IsString() @MaxLength(255) mxid!: string;
  @IsString() @MaxLength(255) token!: string;
  @IsString() @MaxLength(255) private_key!: string;
}

const SIGN_V1 = 'api/v1/sign-ed25519';
/** Whatever they call it, the first key that is made of a seed. */
const KEY_VERSION = '0';
const KEY_BYTES = 32;

/**
 * Who reads the mail of an invitation may accept it as whom they like, once: its key signs that for them, which is what lets them into the room. Identity
 * service API, "Ephemeral invitation signing".
 */
@Controller()
export class SignInviteController {
  constructor(
    private readonly invites: StoredInvites,
    @Inject(CONFIG) private readonly config: Pick<Config, 'publicUrl' | 'serverName' | 'identityRole'>,
  ) {}

  @FromIdentityUser()
  @RateLimited('login')
  @HttpCode(200)
  @Post('_matrix/identity/v2/sign-ed25519')
  sign(@JsonBody(SignBody) body: SignBody): Promise<JsonObject> {
    return this.#sign(body);
  }

  /** Clients send all of it in the URL: it is in the link of the mail. */
  @UseGuards(IdentityRole)
  @RateLimited('login')
  @HttpCode(200)
  @Post(`_matrix/identity/${SIGN_V1}`)
  signV1(@Req() request: FastifyRequest, @Query() query: QueryOfUrl): Promise<JsonObject> {
    const named = ['mxid', 'token', 'private_key'].flatMap((key) => {
      const value = queryText(query, key);
      return value === undefined ? [] : [[key, value] as const];
    });
    const said = { ...readJsonBody(request, { allowEmpty: true }), ...Object.fromEntries(named) };
    return this.#sign(checkDto(SignBody, said));
  }

  /** What the link of the mail shows. */
  @UseGuards(IdentityRole)
  @UseFilters(ErrorPageFilter)
  @RateLimited('default')
  @Get(INVITATION_PATH.slice(1))
  async page(@Query() query: QueryOfUrl, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const [token, privateKey] = [requiredText(query, 'token'), requiredText(query, 'private_key')];
    const invite = await this.invites.find(token);
    if (invite === undefined) return showPage(reply, invitationOverPage());
    const { serverName, publicUrl } = this.config;
    const { roomId, sender } = invite;
    const signUrl = `${publicUrl}/_matrix/identity/${SIGN_V1}?${new URLSearchParams({ token, private_key: privateKey }).toString()}`;
    const via = sender.slice(sender.indexOf(':') + 1);
    const asked = new URLSearchParams({ action: 'join', via });
    if (this.config.identityRole?.v1 === true) asked.set('signurl', signUrl);
    const appLink = `matrix:roomid/${encodeURIComponent(roomId.slice(1))}?${asked.toString()}`;
    return showPage(reply, invitationPage({ sender, roomId, serverName, appLink }));
  }

  /** Throws M_UNRECOGNIZED for an invitation that is not there, or somebody else's, and M_INVALID_PARAM. */
  async #sign({ mxid, token, private_key: privateKey }: SignBody): Promise<JsonObject> {
    if (!isUserId(mxid)) throw new MatrixError('M_INVALID_PARAM', 'mxid: must be a user ID');
    const key = keyOf(privateKey);
    const invite = await this.invites.claim(token, mxid as UserId, key.publicKey);
    if (invite === undefined) throw new MatrixError('M_UNRECOGNIZED', 'There is no such invitation');
    return signJson({ mxid, sender: invite.sender, token }, this.config.serverName, key);
  }
}

/** Throws M_INVALID_PARAM. */
function keyOf(privateKey: string): SigningKey {
  const seed = decodeBase64(privateKey);
  if (seed?.length !== KEY_BYTES) throw new MatrixError('M_INVALID_PARAM', 'private_key: must be 32 bytes in base64');
  return createSigningKey(seed, KEY_VERSION);
}
