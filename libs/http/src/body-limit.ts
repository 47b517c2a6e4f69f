import { RouteConfig } from '@nestjs/platform-fastify';

/** The most bytes that the body of a route may have, where that is another number than everywhere (`fastifyOptions`). */
export function BodyLimit(bytes: number): MethodDecorator {
  return RouteConfig({ bodyLimit: bytes }) as MethodDecorator;
}

/** What `BodyLimit` says of a route, by its configuration. */
export function bodyLimitOf(config: unknown): number | undefined {
  const { bodyLimit } = (config ?? {}) as { readonly bodyLimit?: unknown };
  return typeof bodyLimit === 'number' ? bodyLimit : undefined;
}
