import {
  applyDecorators,
  type CanActivate,
  createParamDecorator,
  type ExecutionContext,
  Injectable,
  SetMetadata,
  UseGuards,
} from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { ServerName } from '#kernel/ids';
import { isJsonObject, type JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { parseJson } from '#protocol/canonical-json/parse-json';
import { parseXMatrix } from '../peers/signed-request.js';
import { Refusals } from '../refusals/refusals.js';
import { AuthenticateRequest } from './authenticate-request.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Which server asks, and its body, once the guard has let the request pass. */
    peer?: { readonly origin: ServerName; readonly content: JsonObject | undefined };
  }
}

/** Events may nest as deep as everywhere; in a request they lie a few levels deep. */
const MAX_DEPTH = 110;
/** As deep as other servers can write, some of which let their users nest what they like. */
const MAX_DEPTH_OF_PARTS = 1_000;
const NESTS_DEEPLY = Symbol('annals.NestsDeeply');
/** A transaction of 50 events and 100 EDUs has some thousands. */
const MAX_VALUES = 300_000;

/** Lets through what another server has signed. */
@Injectable()
export class ServerGuard implements CanActivate {
  constructor(
    private readonly authenticate: AuthenticateRequest,
    private readonly refusals: Refusals,
  ) {}

  /** Throws M_UNAUTHORIZED, M_FORBIDDEN, M_LIMIT_EXCEEDED, and M_NOT_JSON, M_BAD_JSON or M_TOO_LARGE for a body that is no JSON object, or one of too many values. */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    if (request.peer !== undefined) return true;
    const { method, url: uri, ip: from } = request;
    const authorization = headersOf(request, 'authorization');
    let content: JsonObject | undefined;
    const nestsDeeply = Reflect.getMetadata(NESTS_DEEPLY, context.getHandler()) === true;
    const maxDepth = nestsDeeply ? MAX_DEPTH_OF_PARTS : MAX_DEPTH;
    const read = (): JsonObject | undefined => (content = readContent(request, maxDepth));
    const came = { method, uri, authorization, from, readContent: read };
    const origin = await this.authenticate.originOf(came).catch((error: unknown) => {
      if (error instanceof MatrixError) this.#note(authorization, error);
      throw error;
    });
    request.peer = { origin, content };
    return true;
  }

  /** Where it is not even said who asks, nobody is to be told of. */
  #note(authorization: readonly string[], { errcode, message }: MatrixError): void {
    const [said] = authorization.map(parseXMatrix).filter((one) => one !== undefined);
    if (said !== undefined && said !== 'malformed' && errcode !== 'M_LIMIT_EXCEEDED') {
      this.refusals.noteUnproven(said.origin, message);
    }
  }
}

/** Node keeps the first of several headers `Authorization` only; the specification has one for each signature. */
function headersOf({ raw: { rawHeaders } }: FastifyRequest, name: string): string[] {
  return rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]!.toLowerCase() === name);
}

/** Numbers keep their spelling: the signature is over it, and events are. */
function readContent({ body }: FastifyRequest, maxDepth: number): JsonObject | undefined {
  if (!Buffer.isBuffer(body) || body.length === 0) return undefined;
  const content = parseJson(body, { lenient: true, maxDepth, maxValues: MAX_VALUES });
  if (!isJsonObject(content)) throw new MatrixError('M_BAD_JSON', 'The request body is not a JSON object');
  return content;
}

/**
 * The body of a route has many parts, of which one that nests too deeply is refused by itself, by who takes it: else one event of one user
 * would keep their server from telling us anything.
 */
export function PartsMayNestDeeply(): MethodDecorator {
  return SetMetadata(NESTS_DEEPLY, true);
}

/** Only for other servers, by their signature: else 401 M_UNAUTHORIZED. */
export function FromServer(): ClassDecorator & MethodDecorator {
  return applyDecorators(UseGuards(ServerGuard)) as ClassDecorator & MethodDecorator;
}

function peerOf(context: ExecutionContext): NonNullable<FastifyRequest['peer']> {
  const { peer } = context.switchToHttp().getRequest<FastifyRequest>();
  if (peer === undefined) throw new MatrixError('M_UNAUTHORIZED');
  return peer;
}

/** The server that asks, behind `@FromServer()`. Throws M_UNAUTHORIZED where nobody is known, so that a forgotten guard refuses. */
export const Origin = createParamDecorator(
  (_: unknown, context: ExecutionContext): ServerName => peerOf(context).origin,
);

/** The body of its request, numbers spelled as they were. Throws M_NOT_JSON where there is none. */
export const ServerContent = createParamDecorator((_: unknown, context: ExecutionContext): JsonObject => {
  const { content } = peerOf(context);
  if (content === undefined) throw new MatrixError('M_NOT_JSON', 'A JSON body is required');
  return content;
});
