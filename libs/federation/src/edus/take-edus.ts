import { Inject, Injectable } from '@nestjs/common';
import type { ServerName } from '#kernel/ids';
import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import { messageOf } from '#kernel/message-of';
import { LOGGER, type Logger } from '#observability/logger';
import { Turn } from '#projections/turn';
import { nestsDeeper } from '#protocol/canonical-json/nests-deeper';
import { MAX_DEPTH } from '#protocol/canonical-json/parse-json';
import { ServerAcls } from '#rooms/queries/server-acls';
import { type Part, readInParts } from '../receive/unread-part.js';
import { Refusals } from '../refusals/refusals.js';
import { filterEdu } from './filter-edu.js';
import { isOutage } from '../is-outage.js';
import { type AnyEduHandler, EDU_HANDLERS, type GatheringEduHandler } from './edu-handlers.js';

/** What failed of a transaction: of each type how many EDUs, and why the last of them did. */
type Failures = Map<string, { count: number; reason: string }>;

/** Gives each EDU of a transaction to the handler of its type: server-server API, "EDUs". */
@Injectable()
export class TakeEdus {
  readonly #handlers: ReadonlyMap<string, AnyEduHandler>;

  constructor(
    @Inject(EDU_HANDLERS) handlers: readonly AnyEduHandler[],
    @Inject(ServerAcls) private readonly acls: Pick<ServerAcls, 'isLetIn'>,
    @Inject(Refusals) private readonly refusals: Pick<Refusals, 'note'>,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.#handlers = new Map(handlers.map((handler) => [handler.type, handler]));
  }

  /**
   * Takes them in their order, but for those of which only the last count: these behind the others. A bad one, and one of a type that
   * nobody here takes, harms no other. Throws only where the log or the views cannot be reached: then all are to be sent again.
   */
  async take(origin: ServerName, edus: readonly Part[], txnId: string): Promise<void> {
    const failures: Failures = new Map();
    const refuse = (type: string, roomId: string): void => {
      const reason = `${type}: the access list of the room does not let it speak there`;
      this.refusals.note(origin, { kind: 'edu', room_id: roomId, txn_id: txnId, reason });
    };
    try {
      for (const some of readInParts(edus)) await this.#takeAll(origin, some, failures, refuse);
    } finally {
      for (const [type, { count, reason }] of failures) {
        this.refusals.note(origin, { kind: 'edu', txn_id: txnId, reason: `${count} of ${type}: ${reason}` });
      }
      const failed = Object.fromEntries(failures);
      if (failures.size > 0) this.logger.warn({ origin, failed }, 'EDUs were not taken');
    }
  }

  async #takeAll(
    origin: ServerName,
    edus: readonly JsonValue[],
    failures: Failures,
    refuse: (type: string, roomId: string) => void,
  ): Promise<void> {
    const gathered = new Map<GatheringEduHandler, JsonObject[]>();
    const turn = new Turn(1);
    for (const edu of edus) {
      if (turn.isOver()) await turn.pass();
      const { edu_type: type, content } = isJsonObject(edu) ? edu : {};
      const handler = typeof type === 'string' ? this.#handlers.get(type) : undefined;
      if (handler === undefined || !isJsonObject(content) || nestsDeeper(content, MAX_DEPTH)) continue;
      await attempt(handler.type, failures, 1, async () => {
        const refuseIn = (roomId: string): void => refuse(handler.type, roomId);
        const allowed = await filterEdu(this.acls, origin, { type: handler.type, content }, refuseIn);
        if (allowed === undefined) return;
        if ('receiveAll' in handler) gathered.set(handler, [...(gathered.get(handler) ?? []), allowed]);
        else await handler.receive(origin, allowed);
      });
    }
    for (const [handler, contents] of gathered) {
      await attempt(handler.type, failures, contents.length, () => handler.receiveAll(origin, contents));
    }
  }
}

/** Does what is to be done with so many EDUs of a type, and notes that it failed. Throws where the log or the views cannot be reached. */
async function attempt(type: string, failures: Failures, count: number, take: () => Promise<void>): Promise<void> {
  try {
    await take();
  } catch (error) {
    if (isOutage(error)) throw error;
    const before = failures.get(type)?.count ?? 0;
    failures.set(type, { count: before + count, reason: messageOf(error) });
  }
}
