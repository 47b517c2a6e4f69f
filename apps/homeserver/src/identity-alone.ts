import type { FastifyInstance } from 'fastify';
import { MatrixError } from '#kernel/matrix-error';

/**
 * What an identity server serves that is no homeserver besides: its own API, its keys and where it is for homeservers, which it asks whose tokens are and which
 * look at what it signed, and what monitors ask for. By the template of the route.
 */
const SERVED = [
  /^\/_matrix\/identity(\/|$)/,
  /^\/_matrix\/key\//,
  /^\/_matrix\/federation\/v1\/version$/,
  /^\/\.well-known\/matrix\/(server|support)$/,
  /^\/(health|metrics)$/,
];

const NO_SUCH_PATH = new MatrixError('M_UNRECOGNIZED', 'There is no such path').toBody();

/** Leaves nothing of a server but its being an identity server (`ANNALS_ROLES=identity`). */
export function serveIdentityAlone(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    const { url } = request.routeOptions;
    // Whoever answers unknown paths says the same.
    if (url === undefined || SERVED.some((served) => served.test(url))) return done();
    void reply.code(404).send(NO_SUCH_PATH);
  });
}
