import { Inject, Injectable } from '@nestjs/common';
import type { LiveKitConfig } from '#config/livekit-config';
import { Outgoing, type OutgoingAnswer, OutgoingFailure } from '#http/outgoing/outgoing';
import { OF_OPERATOR, placeOf } from '#http/outgoing/place-of';
import { CLOCK, type Clock } from '#kernel/clock';
import { isJsonObject, type JsonObject, type JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { LOGGER, type Logger } from '#observability/logger';
import { adminToken } from './livekit-tokens.js';

/** Somebody waits, and LiveKit is near. */
const WITHIN_MS = 5_000;
/** Of a call of a thousand, each with some tracks. */
const MOST_BYTES = 4 * 1024 * 1024;
/** For how long a room stays into which nobody comes, and out of which all have gone, in seconds. */
const EMPTY_SECONDS = 5 * 60;
const LEFT_SECONDS = 20;

/** Somebody in a room of LiveKit, with what their token says of them. */
export interface Seated {
  readonly identity: string;
  readonly metadata: string;
}

/** The LiveKit that the operator has: its RoomService (Twirp, in JSON). */
@Injectable()
export class LiveKit {
  #isAway = false;

  constructor(
    private readonly outgoing: Outgoing,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** Makes a room, unless there is one by that name. Throws M_UNKNOWN with status 502 where LiveKit does not do it. */
  async createRoom(livekit: LiveKitConfig, name: string): Promise<void> {
    const room = { name, empty_timeout: EMPTY_SECONDS, departure_timeout: LEFT_SECONDS };
    const { status } = await this.#ask(livekit, 'CreateRoom', { roomCreate: true }, room);
    if (status !== 200) throw this.#refused('CreateRoom', status);
  }

  /** Whether somebody is in a room; undefined where LiveKit does not say. */
  async isThere(livekit: LiveKitConfig, room: string, identity: string): Promise<boolean | undefined> {
    try {
      const answer = await this.#ask(livekit, 'GetParticipant', { roomAdmin: true, room }, { room, identity });
      if (answer.status === 200) return true;
      if (codeOf(answer) === 'not_found') return false;
      throw this.#refused('GetParticipant', answer.status);
    } catch (error) {
      if (error instanceof MatrixError) return undefined;
      throw error;
    }
  }

  /** The rooms that there are, by name. Throws M_UNKNOWN with status 502 where LiveKit does not say. */
  async listRooms(livekit: LiveKitConfig): Promise<string[]> {
    const answer = await this.#ask(livekit, 'ListRooms', { roomList: true }, {});
    if (answer.status !== 200) throw this.#refused('ListRooms', answer.status);
    return listOf(answer, 'rooms').flatMap(({ name }) => (typeof name === 'string' ? [name] : []));
  }

  /** Who is in a room. Throws M_UNKNOWN with status 502 where LiveKit does not say. */
  async listSeated(livekit: LiveKitConfig, room: string): Promise<Seated[]> {
    const answer = await this.#ask(livekit, 'ListParticipants', { roomAdmin: true, room }, { room });
    if (codeOf(answer) === 'not_found') return [];
    if (answer.status !== 200) throw this.#refused('ListParticipants', answer.status);
    return listOf(answer, 'participants').flatMap(({ identity, metadata }) =>
      typeof identity === 'string' && typeof metadata === 'string' ? [{ identity, metadata }] : [],
    );
  }

  /** Puts somebody out of a room, unless they are gone. Throws M_UNKNOWN with status 502 where LiveKit does not do it. */
  async putOut(livekit: LiveKitConfig, room: string, identity: string): Promise<void> {
    const answer = await this.#ask(livekit, 'RemoveParticipant', { roomAdmin: true, room }, { room, identity });
    if (answer.status !== 200 && codeOf(answer) !== 'not_found')
      throw this.#refused('RemoveParticipant', answer.status);
  }

  async #ask(livekit: LiveKitConfig, method: string, grants: JsonObject, body: JsonObject): Promise<OutgoingAnswer> {
    const url = new URL(`${livekit.apiUrl}/twirp/livekit.RoomService/${method}`);
    const headers = {
      host: url.host,
      authorization: `Bearer ${adminToken(grants, livekit, this.clock.now())}`,
      'content-type': 'application/json',
    };
    const limits = { withinMs: WITHIN_MS, maxBytes: MOST_BYTES };
    const request = { method: 'POST', path: url.pathname, headers, body: JSON.stringify(body), ...limits } as const;
    try {
      const answer = await this.outgoing.send(placeOf(url, OF_OPERATOR), request);
      if (answer.status === 200) this.#isAway = false;
      return answer;
    } catch (error) {
      if (error instanceof OutgoingFailure) throw this.#refused(method, error.message);
      throw error;
    }
  }

  /** Operators are told why, once until it does something again: who is in calls is asked for time and again. Clients are not. */
  #refused(method: string, reason: string | number): MatrixError {
    const level = this.#isAway ? 'debug' : 'warn';
    this.#isAway = true;
    this.logger[level]({ context: 'livekit', method }, `LiveKit does not do what it is asked: ${reason}`);
    return new MatrixError('M_UNKNOWN', 'What carries calls does not answer', { status: 502 });
  }
}

/** Of an error of Twirp. */
function codeOf(answer: OutgoingAnswer): unknown {
  return objectOf(answer)['code'];
}

function listOf(answer: OutgoingAnswer, key: string): JsonObject[] {
  const { [key]: list } = objectOf(answer);
  return Array.isArray(list) ? list.filter(isJsonObject) : [];
}

function objectOf({ body }: OutgoingAnswer): JsonObject {
  try {
    const value = JSON.parse(body.toString()) as JsonValue;
    return isJsonObject(value) ? value : {};
  } catch {
    return {};
  }
}
