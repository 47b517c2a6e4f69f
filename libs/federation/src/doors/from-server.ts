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
import { isJsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { parseJson } from '#protocol/canonical-json/parse-json';
import { parseXMatrix } from '#protocol/signing/signed-request';
import { Refusals } from '../refusals/refusals.js';
import { canonicalJson } from '#protocol/canonical-json/canonical-json';
import { MAX_DEPTH_OF_PARTS, type SignedContent } from '../receive/unread-part.js';
import { AuthenticateRequest } from './authenticate-request.js';
import { LargeContents, type ReadContent } from './read-large-content.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Which server asks, and its body, once the guard has let the request pass. */
    peer?: { readonly origin: ServerName; readonly content: SignedContent | undefined };
  }
}

/** Events may nest as deep as everywhere; in a request they lie a few levels deep. */
const MAX_DEPTH = 110;
const HAS_PARTS = Symbol('annals.HasParts');
/** As many as fit into the body of a route that says nothing else, lest valid events are too many for it. */
const MAX_VALUES = 600_000;
/** A body of more is read part by part: nobody else has their turn meanwhile, and 250,000 keys in no order took 0.6 s. */
const MAX_VALUES_AT_ONCE = 30_000;

/** Lets through what another server has signed. */
@Injectable()
export class ServerGuard implements CanActivate {
  readonly #large = new LargeContents();

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
    let content: SignedContent | undefined;
    const hasParts = Reflect.getMetadata(HAS_PARTS, context.getHandler()) === true;
    const readContent = async (): Promise<string | undefined> => {
      const read = await this.#read(request, hasParts);
      content = read?.content;
      return read?.text;
    };
    const came = { method, uri, authorization, from, readContent };
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

  /** Numbers keep their spelling: the signature is over it, and events are. */
  async #read({ body, ip: from }: FastifyRequest, hasParts: boolean): Promise<ReadContent | undefined> {
    if (!Buffer.isBuffer(body) || body.length === 0) return undefined;
    try {
      const bounds = hasParts
        ? { maxDepth: MAX_DEPTH_OF_PARTS, maxValues: MAX_VALUES_AT_ONCE }
        : { maxDepth: MAX_DEPTH, maxValues: MAX_VALUES };
      const content = parseJson(body, { lenient: true, ...bounds });
      if (!isJsonObject(content)) throw new MatrixError('M_BAD_JSON', 'The request body is not a JSON object');
      return { content, text: canonicalJson(content, { lenient: true }) };
    } catch (error) {
      if (!hasParts || !(error instanceof MatrixError) || error.errcode !== 'M_TOO_LARGE') throw error;
      return this.#large.read(body, from);
    }
  }
}

/** Node keeps the first of several headers `Authorization` only; the specification has one for each signature. */
function headersOf({ raw: { rawHeaders } }: FastifyRequest, name: string): string[] {
  return rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]!.toLowerCase() === name);
}

/**
 * The body of a route has lists of many parts (`SignedContent`): of millions of values each is read when its turn comes, and one that nests
 * too deeply is refused by itself, by who takes it. Else some events of one user would keep their server from telling us anything.
 */
export function InParts(): MethodDecorator {
  return SetMetadata(HAS_PARTS, true);
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

/** The body of its request, numbers spelled as they were: a JsonObject, but where it is read in parts. Throws M_NOT_JSON where there is none. */
export const ServerContent = createParamDecorator((_: unknown, context: ExecutionContext): SignedContent => {
  const { content } = peerOf(context);
  if (content === undefined) throw new MatrixError('M_NOT_JSON', 'A JSON body is required');
  return content;
});
