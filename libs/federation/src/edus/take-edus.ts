import { Inject, Injectable } from '@nestjs/common';
import type { ServerName } from '#kernel/ids';
import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import { messageOf } from '#kernel/message-of';
import { LOGGER, type Logger } from '#observability/logger';
import { nestsDeeper } from '#protocol/canonical-json/nests-deeper';
import { MAX_DEPTH } from '#protocol/canonical-json/parse-json';
import { ServerAcls } from '../acl/server-acls.js';
import { isOutage } from '../is-outage.js';
import { EDU_HANDLERS, type EduHandler } from './edu-handlers.js';

/** Gives each EDU of a transaction to the handler of its type: server-server API, "EDUs". */
@Injectable()
export class TakeEdus {
  readonly #handlers: ReadonlyMap<string, EduHandler>;

  constructor(
    @Inject(EDU_HANDLERS) handlers: readonly EduHandler[],
    private readonly acls: ServerAcls,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.#handlers = new Map(handlers.map((handler) => [handler.type, handler]));
  }

  /**
   * Takes them in their order. A bad one, and one of a type that nobody here takes, harms no other. Throws only where the log or the
   * views cannot be reached: then all are to be sent again.
   */
  async take(origin: ServerName, edus: readonly JsonValue[]): Promise<void> {
    for (const edu of edus) if (isJsonObject(edu)) await this.#takeOne(origin, edu);
  }

  async #takeOne(origin: ServerName, { edu_type: type, content }: JsonObject): Promise<void> {
    const handler = typeof type === 'string' ? this.#handlers.get(type) : undefined;
    if (handler === undefined || !isJsonObject(content) || nestsDeeper(content, MAX_DEPTH)) return;
    try {
      const allowed = await this.acls.filterEdu(origin, handler.type, content);
      if (allowed !== undefined) await handler.receive(origin, allowed);
    } catch (error) {
      if (isOutage(error)) throw error;
      this.logger.warn({ origin, type: handler.type, reason: messageOf(error) }, 'an EDU was not taken');
    }
  }
}
