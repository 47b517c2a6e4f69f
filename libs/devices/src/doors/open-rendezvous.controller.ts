import { Controller, Delete, Get, Headers, HttpCode, Inject, Param, Post, Put, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CONFIG, type Config } from '#config/config';
import { RateLimited } from '#http/rate-limited';
import { CLOCK, type Clock } from '#kernel/clock';
import { MatrixError } from '#kernel/matrix-error';
import { OpenRendezvousSessions } from '../rendezvous/rendezvous-sessions.js';

const PATH = '_matrix/client/unstable/org.matrix.msc4108/rendezvous';

/**
 * Where devices find each other for signing in by a QR code, as MSC4108 had it in 2024, which clients in use speak: plain text under
 * an address of its own, its versions told apart by ETag. Anybody may begin one, for the device that is to be signed in has no token.
 */
@RateLimited('default')
@Controller(PATH)
export class OpenRendezvousController {
  constructor(
    private readonly sessions: OpenRendezvousSessions,
    @Inject(CONFIG) private readonly config: Pick<Config, 'publicUrl'>,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Post()
  @HttpCode(201)
  create(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): { url: string } {
    const { id } = this.sessions.create(textOf(request));
    this.#describe(id, reply);
    return { url: `${this.config.publicUrl.replace(/\/+$/, '')}/${PATH}/${id}` };
  }

  @Get(':id')
  get(
    @Param('id') id: string,
    @Headers('if-none-match') known: string | undefined,
    @Headers('sec-fetch-mode') mode: string | undefined,
    @Res() reply: FastifyReply,
  ): void {
    // Anybody may put anything there: no browser is to show it as a page of this server.
    if (mode === 'navigate') throw new MatrixError('M_FORBIDDEN', 'This is not for browsers to look at');
    const { data, sequence_token: token } = this.sessions.get(id);
    this.#describe(id, reply);
    if (known !== undefined && tokenOf(known) === token) void reply.code(304).send();
    // As bytes, for Fastify adds a charset to texts, and matrix-js-sdk compares the whole header.
    else void reply.header('content-type', 'text/plain').send(Buffer.from(data));
  }

  @Put(':id')
  @HttpCode(202)
  change(
    @Param('id') id: string,
    @Headers('if-match') known: string | undefined,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): void {
    const { sequence_token: token } = this.sessions.get(id);
    if (known === undefined) throw new MatrixError('M_MISSING_PARAM', 'If-Match: required');
    if (tokenOf(known) !== token) {
      const fields = { 'org.matrix.msc4108.errcode': 'M_CONCURRENT_WRITE' };
      throw new MatrixError('M_UNKNOWN', 'Somebody else has written there meanwhile', { status: 412, fields });
    }
    this.sessions.replace(id, token, textOf(request));
    this.#describe(id, reply);
  }

  @Delete(':id')
  @HttpCode(204)
  end(@Param('id') id: string): void {
    this.sessions.end(id);
  }

  #describe(id: string, reply: FastifyReply): void {
    const { sequence_token: token, expires_in_ms: left } = this.sessions.get(id);
    const now = this.clock.now();
    void reply.headers({
      etag: `"${token}"`,
      expires: new Date(now + left).toUTCString(),
      'last-modified': new Date(now - this.sessions.ageOf(id)).toUTCString(),
      'cache-control': 'no-store, no-transform',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "sandbox; default-src 'none'",
    });
  }
}

/** The token that an ETag holds; a proxy that compresses may have marked it as weak. */
function tokenOf(etag: string): string {
  return etag.replace(/^(?:W\/)?"(.*)"$/, '$1');
}

/** The body of the request as text. Throws M_INVALID_PARAM where it is none. */
function textOf({ body }: FastifyRequest): string {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.alloc(0);
  const text = bytes.toString();
  if (!Buffer.from(text).equals(bytes)) throw new MatrixError('M_INVALID_PARAM', 'The body is not UTF-8');
  return text;
}
