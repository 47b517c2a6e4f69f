# Build: sources -> dist, and production dependencies apart from those that only building and testing need.
FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY apps ./apps
COPY libs ./libs
COPY bench ./bench
RUN npm run build && npm prune --omit=dev
# Compiled code for each start of the image's own user (Node keeps it by user): at run time nothing but /data is written.
RUN mkdir dist/.cache && chown node dist/.cache
USER node
RUN node --input-type=module -e "import m from 'node:module'; m.enableCompileCache('/app/dist/.cache'); \
      await import('/app/dist/bundle/run-server.js'); m.flushCompileCache(); process.exit(0)"

FROM node:24-slim
LABEL org.opencontainers.image.title="Annals" \
      org.opencontainers.image.description="A Matrix homeserver that is event-sourced to the core" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production \
    ANNALS_DATA_DIR=/data \
    ANNALS_LISTEN=0.0.0.0:8008
WORKDIR /app
# Any user may be set at run time (`--user`): a fresh volume takes this folder's owner, a mounted folder keeps its own.
RUN mkdir /data && chown node:node /data
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json LICENSE ./
COPY apps/start.mjs ./apps/start.mjs
# `docker exec … annals users create alice`
RUN printf '#!/bin/sh\nexec node /app/apps/start.mjs cli "$@"\n' > /usr/local/bin/annals && chmod 755 /usr/local/bin/annals
USER node
VOLUME /data
EXPOSE 8008
HEALTHCHECK --start-period=60s --start-interval=2s --interval=30s --timeout=5s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.ANNALS_LISTEN.split(':').pop() + '/health').then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Not through npm: signals go straight to the server, which drains on SIGTERM and rereads its files on SIGHUP.
CMD ["node", "apps/start.mjs", "homeserver"]
