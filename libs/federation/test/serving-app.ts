import { Global, Module, type Provider, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { CONFIG, loadConfig } from '#config/config';
import { REMOTE_DIRECTORIES } from '#directory/remote-directories';
import { ResolvedAliases } from '#directory/resolved-aliases';
import { EVENT_STORE } from '#event-store/event-store';
import { MatrixAdapter } from '#http/matrix-adapter';
import { CLOCK, systemClock } from '#kernel/clock';
import { isServerName, type RoomId } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { HttpModule } from '#http/http.module';
import { createLogger, LOGGER } from '#observability/logger';
import { HELD_CLOCK } from '#projections/held-clock';
import { VIEWS } from '#projections/views';
import { TEST_AUTHOR } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { RoomViews } from '#testing/room-views';
import { AuthenticateRequest } from '../src/doors/authenticate-request.js';
import { ServerAcls } from '#rooms/queries/server-acls';
import { ServingSources } from '#rooms/queries/serving-sources';
import { Refusals } from '../src/refusals/refusals.js';
import { ServersInRooms } from '../src/sending/servers-in-rooms.js';

export interface ServedAnswer {
  readonly status: number;
  // The suites look at what they expect of each answer.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any;
  /** The body as it came. */
  readonly text: string;
}

/** Doors for other servers over a log and views in memory. Who asks is believed: that signatures are checked is tested elsewhere. */
export class ServingApp {
  readonly log = new MemoryEventStore();
  readonly views = new RoomViews(this.log);
  #app: NestFastifyApplication | undefined;

  static async start(controllers: readonly Type[], providers: readonly Provider[]): Promise<ServingApp> {
    const served = new ServingApp();
    const config = loadConfig({ ANNALS_SERVER_NAME: TEST_AUTHOR.serverName, ANNALS_RATE_LIMITS: 'off' });
    const authenticate: Pick<AuthenticateRequest, 'originOf'> = {
      originOf: async ({ authorization: [origin = ''], readContent }) => {
        if (!isServerName(origin)) throw new MatrixError('M_UNAUTHORIZED');
        readContent();
        return origin;
      },
    };
    const ports: Provider[] = [
      { provide: CONFIG, useValue: config },
      { provide: CLOCK, useValue: systemClock },
      { provide: HELD_CLOCK, useExisting: CLOCK },
      { provide: VIEWS, useValue: served.views },
      { provide: EVENT_STORE, useValue: served.views.today },
      { provide: LOGGER, useValue: await createLogger('silent') },
      { provide: AuthenticateRequest, useValue: authenticate },
      Refusals,
      ServerAcls,
      ServersInRooms,
      ServingSources,
      ResolvedAliases,
      {
        provide: REMOTE_DIRECTORIES,
        inject: [ServersInRooms],
        useFactory: (servers: ServersInRooms) => ({ serversIn: async (room: RoomId) => [...(await servers.of(room))] }),
      },
    ];

    @Global()
    @Module({ providers: ports, exports: ports.map((port) => (typeof port === 'function' ? port : port.provide)) })
    class Ports {}

    @Module({ imports: [Ports, HttpModule], controllers: [...controllers], providers: [...providers] })
    class Served {}

    const app = await NestFactory.create<NestFastifyApplication>(Served, new MatrixAdapter(config), {
      abortOnError: false,
      bodyParser: false,
      logger: ['error', 'warn'],
    });
    await app.init();
    await app.getHttpAdapter().getInstance().ready();
    served.#app = app;
    return served;
  }

  /** What a server is answered, once the views have all there is; paths are behind `/_matrix/federation/v1`. */
  async ask(server: string, path: string, content?: object): Promise<ServedAnswer> {
    await this.views.follow();
    const fastify = this.#app!.getHttpAdapter().getInstance();
    const response = await fastify.inject({
      method: content === undefined ? 'GET' : 'POST',
      url: `/_matrix/federation/v1${path}`,
      headers: server === '' ? {} : { authorization: server },
      payload: content === undefined ? undefined : JSON.stringify(content),
    });
    return { status: response.statusCode, body: JSON.parse(response.payload) as unknown, text: response.payload };
  }

  async close(): Promise<void> {
    await this.#app?.close();
  }
}
